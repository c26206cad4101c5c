-- Nobody calls before this time: the far side said so. Index: the primary key.
UPDATE permit SET closed_until = greatest(closed_until, $3)
WHERE scope = $1 AND name = $2
