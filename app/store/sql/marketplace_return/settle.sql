-- Why a return waits for a person ($3 with advice and team), or goes on (NULL), or how it ended; $7: who says so. Index:
-- the primary key.
WITH settled AS (
    UPDATE marketplace_return SET reason = $3, advice = $4, team = $5,
        held_at = CASE WHEN $4::text IS NULL THEN NULL ELSE app_now() END,
        ended_at = CASE WHEN $6 THEN app_now() ELSE NULL END
    WHERE scope = $1 AND return_id = $2 AND (reason IS DISTINCT FROM $3 OR $6 <> (ended_at IS NOT NULL))
    RETURNING order_id
)
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
SELECT app_now(), $1, $7, 'order:' || order_id, 'return ' || $2,
    CASE WHEN $6 THEN 'ended' WHEN $4::text IS NOT NULL THEN 'held' ELSE 'open' END, $3 FROM settled
