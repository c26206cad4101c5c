-- What is confirmed for these keys is no longer believed: send again even if nothing changes. Mark them too.
-- Index: the primary key.
UPDATE publication AS p SET voided_version = greatest(p.voided_version, p.confirmed_version, p.sent_version)
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key FROM unnest($3::text[]) AS t (key) OFFSET 0) AS s
WHERE p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
