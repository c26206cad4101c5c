-- Lock claimed keys in primary key order before several statements write them: one lock order for everybody. Rows that
-- are no longer ours are left alone. Index: the primary key.
SELECT o.key
FROM unnest($3::text[], $4::bigint[]) AS s (key, claim)
CROSS JOIN LATERAL (
    SELECT b.key FROM outbox AS b
    WHERE b.scope = $1 AND b.flow = $2 AND b.key = s.key AND b.claim = s.claim
    FOR UPDATE
) AS o
