-- A fresh copy. Index: the primary key.
INSERT INTO mirror (scope, name, body, read_at) VALUES ($1, $2, $3::text::jsonb, app_now())
ON CONFLICT (scope, name) DO UPDATE SET body = excluded.body, read_at = excluded.read_at
