-- The next orders ($3 and $4 on) created since $2, and whether they were sent and their money is not settled as far as
-- anybody looked. Indexes: marketplace_order_created, order_settlement's primary key.
SELECT o.order_id, o.created_at, o.state = ANY ($5::text[]) AND s.settled_at IS NULL AS unsettled
FROM (SELECT scope, order_id, created_at, state FROM marketplace_order
      WHERE scope = $1 AND created_at >= $2 AND (created_at, order_id) > ($3, $4)
      ORDER BY created_at, order_id LIMIT $6) AS o
LEFT JOIN order_settlement AS s ON s.scope = o.scope AND s.order_id = o.order_id
ORDER BY o.created_at, o.order_id
