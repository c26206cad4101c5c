-- How many of a kind stand how, on a channel. Index: the primary key.
SELECT state, count(*) AS keys FROM publication WHERE scope = $1 AND kind = $2 GROUP BY state
