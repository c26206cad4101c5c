-- Centra has erased the customer too. Index: the primary key.
UPDATE buyer SET centra_customer = NULL WHERE scope = $1 AND order_id = $2
