-- Differences that are not gone, by channel, kind and cause, for metrics. Index: parity_difference_open.
SELECT scope, kind, cause, count(*) AS differences FROM parity_difference WHERE gone_at IS NULL GROUP BY scope, kind, cause
