-- Orders for people, by what is due first. Index: marketplace_order_open, or marketplace_order_created.
SELECT o.scope, o.order_id, o.commercial_id, o.state, o.created_at, o.accept_by, o.ship_by, o.seen_at, o.accepted_at,
       o.centra_number, o.outcome, o.problem, o.problem_team, o.facts ->> 'total_price' AS total,
       o.facts ->> 'currency' AS currency, k.state AS key_state, k.reason, k.flow AS key_flow, k.held_at
FROM marketplace_order AS o
LEFT JOIN LATERAL (
    SELECT b.state, b.reason, b.flow, b.held_at FROM outbox AS b
    WHERE b.scope = o.scope AND b.flow IN ('orders', 'order_entry') AND b.key = o.order_id
    ORDER BY b.state = 'held' DESC, b.flow LIMIT 1
) AS k ON true
WHERE ($1::text IS NULL OR o.scope = $1) AND (NOT $2::boolean OR o.ended_at IS NULL)
    AND (NOT $3::boolean OR k.state = 'held' OR o.problem IS NOT NULL)
ORDER BY o.ended_at IS NOT NULL, CASE WHEN o.accepted_at IS NULL THEN o.accept_by ELSE o.ship_by END NULLS LAST,
    o.created_at DESC
LIMIT $4
