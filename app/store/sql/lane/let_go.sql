-- Free the lanes $2 (sorted) where claim numbers $3 still hold them. Index: the primary key.
UPDATE lane AS l SET claim = NULL, lease_until = '-infinity'
FROM (SELECT $1::text AS scope, t.lane, t.claim FROM unnest($2::text[], $3::bigint[]) AS t (lane, claim) OFFSET 0) AS s
WHERE l.scope = ANY (ARRAY[s.scope]) AND l.lane = s.lane AND l.claim = s.claim
