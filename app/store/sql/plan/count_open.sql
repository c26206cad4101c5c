-- How many lines of a plan are not decided. Index: the primary key.
SELECT count(*) FROM plan_line WHERE plan = $1 AND outcome IS NULL
