-- Waits for a person, or (unless firm) for a mark; one that came meanwhile makes it due at once. Same fence as settle.
-- Index: the primary key.
UPDATE outbox AS o SET
    claim = NULL, lease_until = NULL, attempts = 0, lost = 0, lost_alone = 0, reason = s.reason, firm = s.firm,
    state = CASE WHEN s.firm OR o.version = o.claimed_version THEN 'held' ELSE 'ready' END,
    held_at = CASE WHEN s.firm OR o.version = o.claimed_version THEN coalesce(o.held_at, app_now()) END,
    due_at = CASE WHEN s.firm OR o.version = o.claimed_version THEN NULL ELSE greatest(o.not_before, app_now()) END,
    redirtied_at = NULL
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.claim, t.reason, t.firm
      FROM unnest($3::text[], $4::bigint[], $5::text[], $6::boolean[]) AS t (key, claim, reason, firm) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
  AND o.claim = s.claim
RETURNING o.key, o.due_at
