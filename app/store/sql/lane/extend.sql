-- Prolong lanes $2 (sorted) that claim numbers $3 still hold. Index: the primary key.
UPDATE lane AS l SET lease_until = clock_timestamp() + $4::double precision * interval '1 second'
FROM unnest($2::text[], $3::bigint[]) AS s (lane, claim)
WHERE l.scope = $1 AND l.lane = s.lane AND l.claim = s.claim
RETURNING l.lane
