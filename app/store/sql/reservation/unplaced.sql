-- Units promised and not yet in the free quantity, by SKU, for people. Index: reservation_open.
SELECT channel, order_id, line_id, quantity - absorbed AS units FROM reservation
WHERE scope = $1 AND sku = $2 AND absorbed < quantity ORDER BY id
