-- What the lines of a cycle come to, by type, state and currency. Index: transaction_line_cycle.
SELECT type, state, currency, sum(amount)::bigint AS amount, count(*) AS lines
FROM transaction_line WHERE scope = $1 AND cycle = $2
GROUP BY type, state, currency ORDER BY type, state, currency
