-- Every number besides the one that counts, for an order's timeline. Index: centra_order_of.
SELECT number, role, noted_at, cancelled_at FROM centra_order WHERE channel = $1 AND order_id = $2 ORDER BY number
