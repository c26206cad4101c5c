-- How an order ended ($3; NULL: it goes on after all). Index: the primary key.
UPDATE marketplace_order SET outcome = $3, ended_at = CASE WHEN $3::text IS NULL THEN NULL ELSE app_now() END
WHERE scope = $1 AND order_id = $2
