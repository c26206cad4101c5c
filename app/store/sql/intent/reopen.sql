-- Why it was held is gone, or a person lets it go (who: $3), and the audit's row. Index: the primary key.
WITH opened AS (
    UPDATE intent SET state = 'open', reason = NULL, advice = NULL, team = NULL, evidence = NULL, held_at = NULL,
        approved_by = coalesce($3, approved_by), changed_at = app_now()
    WHERE id = $1 AND state = 'held'
    RETURNING scope, kind, source_id, order_id
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), scope, coalesce($3, $4), 'order:' || order_id, kind || ' ' || source_id, 'open', $2 FROM opened
)
SELECT scope, kind, order_id FROM opened
