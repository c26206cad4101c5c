-- The decision is about to be sent. Index: the primary key.
UPDATE marketplace_order SET accept_sent_at = app_now() WHERE scope = $1 AND order_id = $2
