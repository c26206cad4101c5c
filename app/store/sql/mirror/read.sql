-- A copy and its age. Index: the primary key.
SELECT body::text AS body, read_at FROM mirror WHERE scope = $1 AND name = $2
