-- The buyer of an order. Index: the primary key.
SELECT body, erased_at FROM buyer WHERE scope = $1 AND order_id = $2
