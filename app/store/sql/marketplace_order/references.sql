-- The Centra numbers of some orders. Index: the primary key.
SELECT order_id, centra_number FROM marketplace_order
WHERE scope = $1 AND order_id = ANY ($2::text[]) AND centra_number IS NOT NULL
