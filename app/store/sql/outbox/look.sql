-- The least claimable due time of each (scope, flow, band) at or after its head, read only; whether that key was lost so
-- often that it is a suspect; and the time it is. NULL: nothing. Index: outbox_due.
SELECT b.scope, b.flow, b.priority, d.due_at, d.suspect, app_now() AS looked_at
FROM unnest($1::text[], $2::text[], $3::smallint[], $4::timestamptz[]) AS b (scope, flow, priority, head)
LEFT JOIN LATERAL (
    SELECT o.due_at, o.lost + (o.claim IS NOT NULL)::integer >= 3 AS suspect
    FROM outbox AS o
    WHERE o.scope = b.scope AND o.flow = b.flow AND o.priority = b.priority
      AND o.due_at IS NOT NULL AND o.due_at >= b.head AND o.due_at <= app_now()
      AND (o.lease_until IS NULL OR o.lease_until < clock_timestamp())
    ORDER BY o.due_at
    LIMIT 1
) AS d ON true
