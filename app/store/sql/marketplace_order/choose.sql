-- A person's decision about an order. It is decided anew. Index: the primary key.
UPDATE marketplace_order SET choice = $3, decision = CASE WHEN accept_sent_at IS NULL THEN NULL ELSE decision END
WHERE scope = $1 AND order_id = $2
RETURNING order_id
