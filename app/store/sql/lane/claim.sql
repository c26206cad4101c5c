-- Claim the locked keys whose lanes came back, with the lanes' claim number $4. $6: they were claimed alone before, so that
-- loss is their own. Index: the primary key.
UPDATE outbox AS o SET
    claim = $4,
    claimed_version = o.version,
    lease_until = clock_timestamp() + $5::double precision * interval '1 second',
    redirtied_at = NULL,
    attempts = o.attempts + 1,
    lost_alone = o.lost_alone + (o.claim IS NOT NULL AND $6::boolean)::integer,
    lost = o.lost + (o.claim IS NOT NULL)::integer
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key FROM unnest($3::text[]) AS t (key) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
RETURNING o.key, o.lane, o.version, o.claim, o.attempts, o.due_at, coalesce(o.dirty_since, o.due_at) AS dirty_since,
          o.lost_alone
