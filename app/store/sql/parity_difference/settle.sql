-- A person lets it be ($2: resolved) or has it mended again (nothing), and the audit's row. Index: parity_difference_id_key.
WITH settled AS (
    UPDATE parity_difference SET deed = $2, held_at = NULL, tries = 0, mended_at = NULL
    WHERE id = $1
    RETURNING scope, kind, key, member
)
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
SELECT app_now(), scope, $3, 'parity:' || kind || ':' || key || ':' || member, 'held', $2, $4 FROM settled
