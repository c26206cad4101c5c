-- Orders of the last days by channel and how they ended, for gauges and reports. Index: marketplace_order_created.
SELECT scope, coalesce(outcome, 'open') AS outcome, count(*) AS orders FROM marketplace_order
WHERE created_at > app_now() - $1::double precision * interval '1 second'
GROUP BY scope, coalesce(outcome, 'open')
