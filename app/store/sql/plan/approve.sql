-- A person lets exactly this go ($3 keys, $4 digests), unless something else is wanted by now. Index: the primary key.
INSERT INTO publication AS p (scope, kind, key, since, approved)
SELECT $1, $2, t.key, app_now(), t.digest FROM unnest($3::text[], $4::text[]) AS t (key, digest)
ON CONFLICT (scope, kind, key) DO UPDATE SET approved = excluded.approved
WHERE p.wanted IS NULL OR p.wanted = excluded.approved
RETURNING key
