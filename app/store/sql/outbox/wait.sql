-- Asked to come back at a time unless something happens first. Same fence as settle. Index: the primary key.
UPDATE outbox AS o SET
    claim = NULL, lease_until = NULL, attempts = 0, lost = 0, lost_alone = 0, reason = s.reason,
    state = CASE WHEN o.version = o.claimed_version THEN 'waiting' ELSE 'ready' END,
    due_at = CASE WHEN o.version = o.claimed_version THEN greatest(s.until, o.not_before)
                  ELSE greatest(o.not_before, app_now()) END,
    redirtied_at = NULL
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.claim, t.until, t.reason
      FROM unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::text[]) AS t (key, claim, until, reason) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
  AND o.claim = s.claim
RETURNING o.key, o.due_at
