-- How many of each kind stand how, and since when the oldest does; for metrics and status.
SELECT scope, kind, state, count(*) AS keys, min(since) AS oldest FROM publication GROUP BY scope, kind, state
