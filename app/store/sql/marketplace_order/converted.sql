-- Centra knows the order under our id. Index: the primary key.
UPDATE marketplace_order SET converted_at = app_now() WHERE scope = $1 AND order_id = $2
