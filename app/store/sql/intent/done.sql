-- It is done: what the far side was told, how it ended, and the audit's row. Index: the primary key.
WITH ended AS (
    UPDATE intent SET state = 'done', told = coalesce($2::jsonb, told), reason = $3, advice = NULL, team = NULL,
        evidence = NULL, held_at = NULL, changed_at = app_now(), ended_at = app_now()
    WHERE id = $1 AND state <> 'done'
    RETURNING scope, kind, source_id, order_id
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), scope, $4, 'order:' || order_id, kind || ' ' || source_id, 'done', $3 FROM ended
)
SELECT order_id FROM ended
