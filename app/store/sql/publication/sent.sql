-- What an import about to leave carries. Index: the primary key.
UPDATE publication AS p SET sent = s.digest, sent_body = p.body, sent_version = s.version, state = 'sent', reasons = NULL,
    since = CASE WHEN p.state = 'sent' THEN p.since ELSE app_now() END
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key, t.digest, t.version
      FROM unnest($3::text[], $4::text[], $5::bigint[]) AS t (key, digest, version) OFFSET 0) AS s
WHERE p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
