-- How much needs a person, the money at stake, and since when, for metrics. Reads all that is held, every few seconds.
SELECT scope, flow, team, advice, currency, sum(items)::integer AS items, sum(amount) AS amount,
    min(held_at) AS oldest_at
FROM held GROUP BY scope, flow, team, advice, currency
