-- A person lets a held return go, and the audit's row; who comes second finds nothing. Index: the primary key.
WITH approved AS (
    UPDATE marketplace_return SET approved_by = $3, reason = NULL, advice = NULL, team = NULL, held_at = NULL
    WHERE scope = $1 AND return_id = $2 AND held_at IS NOT NULL
    RETURNING order_id
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), $1, $3, 'order:' || order_id, 'held', 'return ' || $2 || ' let go', $4 FROM approved
)
SELECT order_id FROM approved
