-- Write a call down as sent, before its first byte leaves, and the audit's row. A doubt that is still open in the lane
-- refuses the insert.
WITH planned AS (
    INSERT INTO effect (scope, flow, code, class, lane, key, doubt, intent, snapshot, state, planned_at, sent_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, 'sent', app_now(), app_now())
    RETURNING id
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), $1, $2, 'effect:' || p.id, NULL, 'sent', $3 FROM planned AS p
)
SELECT id FROM planned
