-- Write down how a call ended, and the audit's row. Also for a claim lost meanwhile: it is about the call, not about the
-- key. Index: the primary key.
WITH before AS (
    SELECT id, state FROM effect WHERE id = $1 AND state IN ('sent', 'unknown') FOR UPDATE
), decided AS (
    UPDATE effect AS e SET state = $2, detail = $3, decided_at = app_now()
    FROM before AS b
    WHERE e.id = b.id
    RETURNING e.id, e.scope, e.flow, b.state AS from_state
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), d.scope, d.flow, 'effect:' || d.id, d.from_state, $2, $3 FROM decided AS d
)
SELECT id FROM decided
