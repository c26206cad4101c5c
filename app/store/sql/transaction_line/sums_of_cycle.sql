-- What the lines of a cycle in its currency come to, by type and state. Index: transaction_line_cycle.
SELECT type, state, sum(amount)::bigint AS amount, count(*) AS count
FROM transaction_line WHERE scope = $1 AND cycle = $2 AND currency = $3
GROUP BY type, state ORDER BY type, state
