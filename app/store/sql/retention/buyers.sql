-- Buyers of orders that ended over $1 days ago: what is personal goes, the tombstone stays.
UPDATE buyer AS b SET body = NULL, email_hash = NULL, erased_at = app_now()
FROM marketplace_order AS o
WHERE o.scope = b.scope AND o.order_id = b.order_id AND b.erased_at IS NULL
  AND o.ended_at < app_now() - $1::integer * interval '1 day'
