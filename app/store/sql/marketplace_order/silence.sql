-- When the newest order of each channel ($1) was created, and the longest time between two orders that was usual at this
-- hour of the week: of the longest around this moment in each of the last four weeks the second longest, so that one odd
-- week does not count. NULL: no order is old enough to tell. Index: marketplace_order_created.
SELECT c.scope, n.newest, CASE WHEN n.oldest < app_now() - interval '4 weeks 30 minutes' THEN u.gap END AS usual_gap
FROM unnest($1::text[]) AS c (scope)
CROSS JOIN LATERAL (
    SELECT min(created_at) AS oldest, max(created_at) AS newest FROM marketplace_order WHERE scope = c.scope
) AS n
CROSS JOIN LATERAL (
    SELECT percentile_disc(0.75) WITHIN GROUP (ORDER BY w.gap) AS gap
    FROM (
        SELECT max(g.gap) AS gap
        FROM generate_series(1, 4) AS week
        CROSS JOIN LATERAL (SELECT app_now() - week * interval '1 week' AS at) AS middle
        CROSS JOIN LATERAL (
            SELECT lead(o.at, 1, middle.at + interval '30 minutes') OVER (ORDER BY o.at) - o.at AS gap
            FROM (
                (SELECT created_at AS at FROM marketplace_order
                 WHERE scope = c.scope AND created_at < middle.at - interval '30 minutes'
                 ORDER BY created_at DESC LIMIT 1)
                UNION ALL
                SELECT created_at FROM marketplace_order
                WHERE scope = c.scope AND created_at >= middle.at - interval '30 minutes'
                  AND created_at < middle.at + interval '30 minutes'
            ) AS o
        ) AS g
        GROUP BY week
    ) AS w
) AS u
