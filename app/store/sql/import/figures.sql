-- Imports and lines of each channel after import $1.
SELECT scope, count(*) AS imports, sum(lines)::bigint AS lines
FROM import WHERE id > $1 AND state NOT IN ('refused', 'not_sent') GROUP BY scope
