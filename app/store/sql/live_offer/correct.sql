-- What is confirmed for these keys is not what is live: send it again, but at most once a day. Index: the primary key.
UPDATE publication AS p SET
    voided_version = greatest(p.voided_version, p.confirmed_version, p.sent_version), corrected_at = app_now()
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key FROM unnest($3::text[]) AS t (key) OFFSET 0) AS s
WHERE p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
  AND (p.corrected_at IS NULL OR p.corrected_at <= app_now() - interval '1 day')
RETURNING p.key
