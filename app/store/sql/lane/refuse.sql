-- Keys whose lane is busy come back when its lease ends ($4 app seconds a real second), or when it is let go.
-- Index: the primary keys.
UPDATE outbox AS o SET
    reason = 'lane busy',
    due_at = app_now() + greatest(l.lease_until - clock_timestamp(), interval '0') * $4::double precision
FROM lane AS l
WHERE o.scope = $1 AND o.flow = $2 AND o.key = ANY ($3::text[]) AND l.scope = o.scope AND l.lane = o.lane
