-- A person decides what the service could not, and the audit's row; who comes second finds nothing. Index: the primary key.
WITH decided AS (
    UPDATE effect SET state = $2, detail = $4, decided_at = app_now()
    WHERE id = $1 AND state = 'held'
    RETURNING id, scope
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), scope, $3, 'effect:' || id, 'held', $2, $4 FROM decided
)
SELECT id FROM decided
