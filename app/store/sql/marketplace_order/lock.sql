-- Lock an order until the transaction ends; its Centra number. Index: the primary key.
SELECT centra_number FROM marketplace_order WHERE scope = $1 AND order_id = $2 FOR UPDATE
