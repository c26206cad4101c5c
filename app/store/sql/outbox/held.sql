-- Held keys, oldest first. Index: outbox_held.
SELECT scope, flow, key, firm, held_at, reason
FROM outbox
WHERE state = 'held' AND ($1::text IS NULL OR scope = $1)
ORDER BY held_at
LIMIT $2
