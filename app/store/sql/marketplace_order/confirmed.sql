-- Centra confirmed the order. Index: the primary key.
UPDATE marketplace_order SET confirmed_at = app_now() WHERE scope = $1 AND order_id = $2
