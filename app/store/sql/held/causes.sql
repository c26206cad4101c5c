-- What needs a person, by cause: what is due first comes first, then the oldest. Reads all that is held; for people.
SELECT scope, flow, team, reason, advice, currency, sum(items)::integer AS items, sum(amount) AS amount, min(held_at) AS oldest_at,
    min(due_at) AS due_at, (array_agg(item ORDER BY held_at, item))[1] AS item
FROM held WHERE $1::text IS NULL OR scope = $1
GROUP BY scope, flow, team, reason, advice, currency
ORDER BY min(due_at) NULLS LAST, min(held_at)
