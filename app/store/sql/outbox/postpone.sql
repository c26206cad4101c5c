-- Not before a time, whatever is marked meanwhile. Without a call the attempt is given back; work that is done leaves the
-- key dirty only since it moved again. Same fence as settle.
-- Index: the primary key.
UPDATE outbox AS o SET
    claim = NULL, lease_until = NULL, lost = 0, lost_alone = 0, state = 'ready', reason = s.reason,
    attempts = CASE WHEN s.done THEN 0 ELSE greatest(0, o.attempts - (NOT s.called)::integer) END,
    dirty_since = CASE WHEN NOT s.done THEN o.dirty_since
                       WHEN o.version = o.claimed_version THEN NULL ELSE coalesce(o.redirtied_at, app_now()) END,
    trace = CASE WHEN s.done AND o.version = o.claimed_version THEN NULL ELSE o.trace END,
    not_before = s.until, due_at = s.until, redirtied_at = NULL
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.claim, t.until, t.reason, t.called, t.done
      FROM unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::boolean[], $8::boolean[])
           AS t (key, claim, until, reason, called, done) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
  AND o.claim = s.claim
RETURNING o.key, o.due_at
