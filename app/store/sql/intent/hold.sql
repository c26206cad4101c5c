-- It waits for a person, and the audit's row. Index: the primary key.
WITH held AS (
    UPDATE intent SET state = 'held', reason = $2, advice = $3, team = $4, evidence = $5::jsonb, changed_at = app_now(),
        held_at = app_now()
    WHERE id = $1 AND state <> 'done'
    RETURNING scope, kind, source_id, order_id
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), scope, $6, 'order:' || order_id, kind || ' ' || source_id, 'held', $2 FROM held
)
SELECT order_id FROM held
