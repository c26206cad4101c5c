-- The Centra order is placed, blocked ($3) or not. Index: the primary key.
UPDATE marketplace_order SET completed_at = coalesce(completed_at, app_now()), blocked = $3
WHERE scope = $1 AND order_id = $2
