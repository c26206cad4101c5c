-- Facts that could not be read, oldest first. Index: inbox_dead.
SELECT scope, source, identity, kind, reference, reason, received_at
FROM inbox WHERE state = 'dead' AND ($1::text IS NULL OR scope = $1) ORDER BY received_at LIMIT $2
