-- Outside writes of which nobody knows how they ended, by (scope, flow), and since when; those of a living caller have up to
-- two minutes. A safe one is none: its newest value is simply sent again. Index: effect_open; runs every few seconds.
SELECT scope, flow, count(*) AS effects, min(sent_at) AS since
FROM effect
WHERE state IN ('sent', 'unknown', 'held') AND class <> 'safe'
  AND (state <> 'sent' OR sent_at < app_now() - interval '2 minutes')
GROUP BY scope, flow
