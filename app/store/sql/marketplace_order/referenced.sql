-- The marketplace carries the Centra number of these orders. Index: the primary key.
UPDATE marketplace_order SET referenced_at = app_now() WHERE scope = $1 AND order_id = ANY ($2::text[])
