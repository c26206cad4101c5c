-- As settle.sql, for claims $2 of keys $1 that still lie where the claim put them ($4): no index is asked, which counts when
-- an old snapshot keeps all versions of a key. What has moved, or is lost, comes not back and goes by settle.sql.
WITH settled AS (
    UPDATE outbox AS o SET
        claim = NULL, lease_until = NULL, attempts = 0, lost = 0, lost_alone = 0, state = 'ready', reason = NULL,
        held_at = NULL,
        due_at = CASE WHEN o.version = o.claimed_version THEN s.next_at ELSE greatest(o.not_before, app_now()) END,
        dirty_since = CASE WHEN o.version = o.claimed_version THEN NULL ELSE coalesce(o.redirtied_at, app_now()) END,
        trace = CASE WHEN o.version = o.claimed_version THEN NULL ELSE o.trace END,
        redirtied_at = NULL
    FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::tid[]) AS s (key, claim, next_at, place)
    WHERE o.ctid = s.place AND o.key = s.key AND o.claim = s.claim
    RETURNING o.key, o.due_at
)
SELECT coalesce(bool_or(due_at <= app_now()), false) AS again,
       CASE WHEN count(*) < cardinality($1) THEN coalesce(array_agg(key), $1[1:0]) END AS keys
FROM settled
