-- The buyer of an order. An erased one stays erased; $5: the copy is anonymised, and may not overwrite a live one.
-- Index: the primary key.
INSERT INTO buyer AS b (scope, order_id, body, email_hash, seen_at)
VALUES ($1, $2, $3::jsonb, $4, app_now())
ON CONFLICT (scope, order_id) DO UPDATE SET body = excluded.body,
    email_hash = coalesce(excluded.email_hash, b.email_hash)
WHERE b.erased_at IS NULL AND NOT $5::boolean
