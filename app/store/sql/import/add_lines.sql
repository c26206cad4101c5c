-- What the import carries: one line a key.
INSERT INTO import_line (import_id, key, version, value, dirty_since, digest)
SELECT $1, l.key, l.version, l.value, l.dirty_since, l.digest
FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::timestamptz[], $6::text[])
     AS l (key, version, value, dirty_since, digest)
