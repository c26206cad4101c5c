-- The next orders (beyond $3), and whether they were created since $2 and sent, and their money is not settled as far as
-- anybody looked. Indexes: the primary keys.
SELECT o.order_id, o.created_at >= $2 AND o.state = ANY ($4::text[]) AND s.settled_at IS NULL AS unsettled
FROM (SELECT scope, order_id, created_at, state FROM marketplace_order
      WHERE scope = $1 AND order_id > $3 ORDER BY order_id LIMIT $5) AS o
LEFT JOIN order_settlement AS s ON s.scope = o.scope AND s.order_id = o.order_id
ORDER BY o.order_id
