-- Returns as a call that began at $5 told them; gives those that are new or have changed. Index: the primary key.
INSERT INTO marketplace_return AS r (scope, return_id, order_id, facts, read_at, seen_at)
SELECT $1, told.return_id, told.order_id, told.facts::jsonb, $5, app_now()
FROM unnest($2::text[], $3::text[], $4::text[]) AS told (return_id, order_id, facts)
ON CONFLICT (scope, return_id) DO UPDATE SET facts = excluded.facts, read_at = excluded.read_at, ended_at = NULL
WHERE r.facts <> excluded.facts AND r.read_at <= excluded.read_at
RETURNING order_id
