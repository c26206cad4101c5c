-- Write down how a call ended. Also for a claim lost meanwhile: it is about the call, not about the key.
-- Index: the primary key.
WITH before AS (
    SELECT id, state FROM effect WHERE id = $1 AND state IN ('sent', 'unknown') FOR UPDATE
)
UPDATE effect AS e SET state = $2, detail = $3, decided_at = app_now()
FROM before AS b
WHERE e.id = b.id
RETURNING e.scope, e.flow, b.state AS from_state
