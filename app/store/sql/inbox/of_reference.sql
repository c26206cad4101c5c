-- The raw facts about a reference, oldest first. Index: inbox_reference.
SELECT identity, kind, body, received_at FROM inbox WHERE scope = $1 AND source = $2 AND reference = $3 ORDER BY received_at
