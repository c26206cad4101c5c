-- Keys $3 whose lanes $5 are busy come back when the lane's lease ends ($4 app seconds a real second), or when it is let go.
-- Index: the primary keys.
UPDATE outbox AS o SET
    reason = 'lane busy',
    due_at = app_now() + (greatest(s.lease_until, clock_timestamp()) - clock_timestamp()) * $4::double precision
FROM (SELECT $1::text AS scope, $2::text AS flow, t.key,
             (SELECT l.lease_until FROM lane AS l WHERE l.scope = $1 AND l.lane = t.lane) AS lease_until
      FROM unnest($3::text[], $5::text[]) AS t (key, lane) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.flow = s.flow AND o.key = s.key
