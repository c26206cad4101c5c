-- Prolong claims that are still ours. Index: the primary key.
UPDATE outbox AS o SET lease_until = clock_timestamp() + $5::double precision * interval '1 second'
FROM unnest($3::text[], $4::bigint[]) AS s (key, claim)
WHERE o.scope = $1 AND o.flow = $2 AND o.key = s.key AND o.claim = s.claim
RETURNING o.key
