-- The next lines of a plan ($2 and $3 on) that are not decided. Index: the primary key.
SELECT kind, key, digest FROM plan_line
WHERE plan = $1 AND (kind, key) > ($2, $3) AND outcome IS NULL
ORDER BY kind, key LIMIT $4
