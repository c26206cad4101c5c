-- Prolong lanes $2 (sorted) that claim numbers $3 still hold. Index: the primary key.
UPDATE lane AS l SET lease_until = clock_timestamp() + $4::double precision * interval '1 second'
FROM (SELECT $1::text AS scope, t.lane, t.claim FROM unnest($2::text[], $3::bigint[]) AS t (lane, claim) OFFSET 0) AS s
WHERE l.scope = ANY (ARRAY[s.scope]) AND l.lane = s.lane AND l.claim = s.claim
RETURNING l.lane
