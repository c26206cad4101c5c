-- Threads that wait for an answer, and orders with an open incident, by channel. Indexes: thread_waiting,
-- marketplace_order_incident.
SELECT scope, sum(waiting)::integer AS waiting, min(since) AS since, sum(incidents)::integer AS incidents
FROM (
    SELECT scope, count(*) AS waiting, min(waiting_since) AS since, 0 AS incidents
    FROM thread WHERE waiting_since IS NOT NULL GROUP BY scope
    UNION ALL
    SELECT scope, 0, NULL, count(*) FROM marketplace_order WHERE facts ->> 'has_incident' = 'true' GROUP BY scope
) AS found
GROUP BY scope
