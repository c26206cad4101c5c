-- One key, to show it to a person. Index: the primary key.
SELECT state, firm, version, claim IS NOT NULL AS claimed, due_at, not_before, dirty_since, attempts, lost, held_at, reason
FROM outbox
WHERE scope = $1 AND flow = $2 AND key = $3
