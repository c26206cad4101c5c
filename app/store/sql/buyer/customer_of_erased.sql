-- Centra's customer of a buyer who was erased before it was known. Index: the primary key.
UPDATE buyer SET centra_customer = $3 WHERE scope = $1 AND order_id = $2 AND erased_at IS NOT NULL RETURNING order_id
