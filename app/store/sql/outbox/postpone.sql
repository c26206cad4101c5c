-- Not before a time, whatever is marked meanwhile. Without a call the attempt is given back. Same fence as settle.
-- Index: the primary key.
UPDATE outbox AS o SET
    claim = NULL, lease_until = NULL, lost = 0, lost_alone = 0, state = 'ready', reason = s.reason,
    attempts = greatest(0, o.attempts - (NOT s.called)::integer),
    not_before = s.until, due_at = s.until, redirtied_at = NULL
FROM unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::text[], $7::boolean[])
     AS s (key, claim, until, reason, called)
WHERE o.scope = $1 AND o.flow = $2 AND o.key = s.key AND o.claim = s.claim
RETURNING o.key, o.due_at
