-- Take the lanes that are free; $2 sorted, no lane twice. A lane that does not come back is busy. Index: the primary key.
INSERT INTO lane AS l (scope, lane, claim, flow, lease_until)
SELECT $1, t.lane, (SELECT nextval('claim_number')), $3, clock_timestamp() + $4::double precision * interval '1 second'
FROM unnest($2::text[]) AS t (lane)
ON CONFLICT (scope, lane) DO UPDATE SET claim = excluded.claim, flow = excluded.flow, lease_until = excluded.lease_until
WHERE l.lease_until <= clock_timestamp()
RETURNING l.lane, l.claim
