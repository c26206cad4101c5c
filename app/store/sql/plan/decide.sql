-- What became of lines of one kind: approved those of $4, the others of $3 have changed. Index: the primary key.
UPDATE plan_line AS l SET outcome = CASE WHEN l.key = ANY ($4::text[]) THEN 'approved' ELSE 'changed' END
FROM (SELECT $2::text AS kind, t.key FROM unnest($3::text[]) AS t (key) OFFSET 0) AS s
WHERE l.plan = $1 AND l.kind = s.kind AND l.key = s.key
