-- What became of lines of one kind: approved those of $4, the others of $3 have changed. Index: the primary key.
UPDATE plan_line SET outcome = CASE WHEN key = ANY ($4::text[]) THEN 'approved' ELSE 'changed' END
WHERE plan = $1 AND kind = $2 AND key = ANY ($3::text[])
