-- Where a cursor stands. Index: the primary key.
SELECT body::text AS body, moved_at FROM cursor WHERE scope = $1 AND name = $2
