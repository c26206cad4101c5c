-- How much is due, waiting and held for each (scope, flow), and since when; for metrics and status. Index: outbox_due
-- and outbox_held; runs every few seconds, never on the hot path.
SELECT c.scope, c.flow, sum(c.due)::bigint AS due, sum(c.waiting)::bigint AS waiting, sum(c.held)::bigint AS held,
       min(c.oldest) AS oldest_due_since, min(c.held_at) AS oldest_held_at
FROM (
    SELECT scope, flow, count(*) FILTER (WHERE due_at <= app_now()) AS due,
           count(*) FILTER (WHERE due_at > app_now()) AS waiting, 0 AS held,
           min(coalesce(dirty_since, due_at)) FILTER (WHERE due_at <= app_now() OR (state = 'ready' AND dirty_since IS NOT NULL)) AS oldest, NULL::timestamptz AS held_at
    FROM outbox
    WHERE due_at IS NOT NULL
    GROUP BY scope, flow
    UNION ALL
    SELECT scope, flow, 0, 0, count(*), NULL, min(held_at)
    FROM outbox
    WHERE state = 'held'
    GROUP BY scope, flow
) AS c
GROUP BY c.scope, c.flow
