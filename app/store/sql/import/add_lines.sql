-- What the import carries: one line a key.
INSERT INTO import_line (import_id, key, version, value, dirty_since)
SELECT $1, l.key, l.version, l.value, l.dirty_since
FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::timestamptz[]) AS l (key, version, value, dirty_since)
