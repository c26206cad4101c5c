-- What was told of some orders after the sale, of some kinds, oldest first. Index: intent_order.
SELECT i.id, i.scope, i.kind, i.source_id, i.order_id, i.state, i.body, i.version, i.told, i.amount, i.currency, i.reason,
    i.advice, i.team, i.approved_by, i.noted_at, i.changed_at, i.held_at
FROM unnest($2::text[]) AS o (order_id)
JOIN intent AS i ON i.scope = $1 AND i.order_id = o.order_id AND i.kind = ANY ($3::text[])
ORDER BY i.id
