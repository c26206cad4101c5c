-- Make sure that periodic keys exist; an existing one keeps its own time. Index: the primary key.
INSERT INTO outbox (scope, flow, key, priority, due_at)
SELECT $1, $2, s.key, $3, app_now() + s.after
FROM unnest($4::text[], $5::interval[]) AS s (key, after)
ON CONFLICT (scope, flow, key) DO NOTHING
