-- Hold keys that nobody works on now, as a bad line of a finished import, unless the key changed since that version.
-- A key being worked, or already due again, is left alone. Index: the primary key.
UPDATE outbox AS o SET state = 'held', held_at = coalesce(o.held_at, app_now()), due_at = NULL, reason = s.reason
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.version, t.reason
      FROM unnest($3::text[], $4::bigint[], $5::text[]) AS t (key, version, reason) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
  AND o.version = s.version AND o.claim IS NULL AND o.due_at IS NULL
RETURNING o.key
