-- Hold keys that nobody works on now, as a bad line of a finished import, unless the key changed since that version.
-- A key being worked, or already due again, is left alone. Index: the primary key.
UPDATE outbox AS o SET state = 'held', held_at = coalesce(o.held_at, app_now()), due_at = NULL, reason = s.reason
FROM unnest($3::text[], $4::bigint[], $5::text[]) AS s (key, version, reason)
WHERE o.scope = $1 AND o.flow = $2 AND o.key = s.key AND o.version = s.version AND o.claim IS NULL AND o.due_at IS NULL
RETURNING o.key
