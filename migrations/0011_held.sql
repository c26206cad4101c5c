-- Everything that needs a person, from live rows: an item is gone when its cause is. A key of the outbox stands for itself
-- only where no intent or return says more about it. `team` NULL: the flow's own.
CREATE VIEW held AS
SELECT 'i' || i.id AS item, i.scope, i.kind || 's' AS flow, i.order_id AS key, i.team, i.reason, i.advice, i.evidence,
    i.held_at, i.amount, i.currency, CASE WHEN i.kind IN ('shipment', 'cancellation') THEN o.ship_by END AS due_at
FROM intent AS i
LEFT JOIN marketplace_order AS o ON o.scope = i.scope AND o.order_id = i.order_id
WHERE i.state = 'held'
UNION ALL
SELECT 'r:' || r.scope || ':' || r.return_id, r.scope, 'returns', r.order_id, r.team, r.reason, r.advice, NULL,
    r.held_at, NULL, NULL, NULL
FROM marketplace_return AS r
WHERE r.held_at IS NOT NULL
UNION ALL
SELECT 'o:' || b.scope || ':' || b.flow || ':' || b.key, b.scope, b.flow, b.key, o.problem_team, b.reason, NULL, NULL,
    b.held_at, (o.facts ->> 'total_price')::numeric, o.facts ->> 'currency',
    CASE WHEN o.ended_at IS NOT NULL THEN NULL WHEN o.accepted_at IS NULL THEN o.accept_by ELSE o.ship_by END
FROM outbox AS b
LEFT JOIN marketplace_order AS o ON o.scope = b.scope AND o.order_id = b.lane AND b.flow IN ('orders', 'order_entry')
WHERE b.state = 'held'
    AND NOT EXISTS (SELECT FROM intent AS i WHERE i.scope = b.scope AND i.order_id = b.key AND i.state = 'held'
        AND i.kind || 's' = b.flow)
    AND NOT EXISTS (SELECT FROM marketplace_return AS r WHERE r.scope = b.scope AND r.order_id = b.key
        AND r.held_at IS NOT NULL AND b.flow = 'returns');
