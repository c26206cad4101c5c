-- Free the lanes $2 (sorted) where claim numbers $3 still hold them. Index: the primary key.
UPDATE lane AS l SET claim = NULL, lease_until = '-infinity'
FROM unnest($2::text[], $3::bigint[]) AS s (lane, claim)
WHERE l.scope = $1 AND l.lane = s.lane AND l.claim = s.claim
RETURNING l.lane
