-- Grant-only, all or nothing: take the costs $3 from the buckets $2 now, or take nothing and say when to try.
-- $4: what share of each bucket this caller may use; the rest stays for those with more headroom. Rows are locked in name
-- order. A bucket that is not there grants nothing. An allowance (more than one call at once) may forget its last moments
-- in a crash of Postgres, so its callers do not queue up for the disk; a spaced call is remembered for good.
-- Index: the primary key.
WITH wanted AS (
    SELECT w.name, w.cost FROM unnest($2::text[], $3::double precision[]) AS w (name, cost)
), locked AS MATERIALIZED (
    SELECT p.name, p.capacity, p.refill_per_second, p.closed_until, p.grants,
           least(p.capacity, p.tokens + p.refill_per_second
                 * greatest(0, extract(epoch FROM app_now() - p.refreshed_at))::double precision) AS tokens
    FROM permit AS p
    WHERE p.scope = $1 AND p.name = ANY ($2)
    ORDER BY p.name
    FOR UPDATE
), verdict AS MATERIALIZED (
    SELECT count(*) = (SELECT count(*) FROM wanted)
           AND bool_and(l.closed_until <= app_now()
                        AND l.tokens + 1e-6 >= least(w.cost + l.capacity * (1 - $4::double precision), l.capacity)) AS granted,
           max(greatest(
               extract(epoch FROM greatest(l.closed_until, app_now()) - app_now()),
               (least(w.cost + l.capacity * (1 - $4::double precision), l.capacity) - l.tokens) / l.refill_per_second,
               0))::double precision AS wait_seconds
    FROM wanted AS w JOIN locked AS l USING (name)
), taken AS (
    UPDATE permit AS p SET tokens = l.tokens - w.cost, refreshed_at = greatest(p.refreshed_at, app_now()),
                           grants = p.grants + 1, last_cost = w.cost
    FROM locked AS l JOIN wanted AS w USING (name)
    WHERE p.scope = $1 AND p.name = l.name AND (SELECT granted FROM verdict)
    RETURNING p.name, p.grants
)
SELECT v.granted, v.wait_seconds, array_agg(t.name) AS names, array_agg(t.grants) AS grants,
       CASE WHEN (SELECT min(l.capacity) > 1 FROM locked AS l) THEN set_config('synchronous_commit', 'off', true) END
FROM verdict AS v LEFT JOIN taken AS t ON true
GROUP BY v.granted, v.wait_seconds
