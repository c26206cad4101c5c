-- Prolong claims that are still ours. Index: the primary key.
UPDATE outbox AS o SET lease_until = clock_timestamp() + $5::double precision * interval '1 second'
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key, t.claim
      FROM unnest($3::text[], $4::bigint[]) AS t (key, claim) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
  AND o.claim = s.claim
RETURNING o.key
