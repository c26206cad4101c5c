-- Move a cursor. Index: the primary key.
INSERT INTO cursor (scope, name, body, moved_at) VALUES ($1, $2, $3::text::jsonb, app_now())
ON CONFLICT (scope, name) DO UPDATE SET body = excluded.body, moved_at = excluded.moved_at
