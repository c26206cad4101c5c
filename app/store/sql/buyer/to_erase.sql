-- The Centra customer still to be erased for an order. Index: the primary key.
SELECT centra_customer FROM buyer WHERE scope = $1 AND order_id = $2 AND erased_at IS NOT NULL
