-- The work of these claims is done. Fenced by the claim: a row not returned is a claim lost. A key that moved meanwhile is
-- due again. $5 is the next time of a periodic key, else NULL (empty: no key is). Says whether any
-- is due at once, and gives the keys only when some were lost.
-- Index: the primary key, once for each key in the order of the arrays: OFFSET 0 and `scope = ANY` (which a merge
-- join can't use) leave the planner no other way; joined plainly, with stale statistics, it read the whole flow for each key.
WITH settled AS (
    UPDATE outbox AS o SET
        claim = NULL, lease_until = NULL, attempts = 0, lost = 0, lost_alone = 0, state = 'ready', reason = NULL,
        held_at = NULL,
        due_at = CASE WHEN o.version = o.claimed_version THEN s.next_at ELSE greatest(o.not_before, app_now()) END,
        dirty_since = CASE WHEN o.version = o.claimed_version THEN NULL ELSE coalesce(o.redirtied_at, app_now()) END,
        trace = CASE WHEN o.version = o.claimed_version THEN NULL ELSE o.trace END,
        redirtied_at = NULL
    FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.claim, t.next_at
          FROM unnest($3::text[], $4::bigint[], $5::timestamptz[]) AS t (key, claim, next_at) OFFSET 0) AS s
    WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
      AND o.claim = s.claim
    RETURNING o.key, o.due_at
)
SELECT coalesce(bool_or(due_at <= app_now()), false) AS again,
       CASE WHEN count(*) < cardinality($3) THEN coalesce(array_agg(key), $3[1:0]) END AS keys
FROM settled
