-- Orders that are in Centra and may still be shipped, or ($2) returned, in order of their ids from $3 on.
-- Index: the primary key.
SELECT order_id FROM marketplace_order
WHERE scope = $1 AND order_id > $3 AND completed_at IS NOT NULL
  AND (state = 'SHIPPING' OR ($2::timestamptz IS NOT NULL AND updated_at > $2))
ORDER BY order_id LIMIT $4
