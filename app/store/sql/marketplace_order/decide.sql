-- Write down which lines are accepted. Index: the primary key.
UPDATE marketplace_order SET decision = $3::jsonb, decided_at = app_now() WHERE scope = $1 AND order_id = $2
