-- How much needs a person and the money at stake, for metrics. Reads all that is held, every few seconds.
SELECT scope, flow, team, advice, currency, count(*) AS items, sum(amount) AS amount
FROM held GROUP BY scope, flow, team, advice, currency
