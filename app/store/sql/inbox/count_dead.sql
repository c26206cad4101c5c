-- How many facts are dead, by scope. Index: inbox_dead.
SELECT scope, count(*) AS dead FROM inbox WHERE state = 'dead' GROUP BY scope
