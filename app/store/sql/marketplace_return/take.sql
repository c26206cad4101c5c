-- A step of a return was taken, and the audit's row. Index: the primary key.
WITH taken AS (
    UPDATE marketplace_return SET taken = array_append(taken, $3)
    WHERE scope = $1 AND return_id = $2 AND NOT $3 = ANY (taken)
    RETURNING order_id
)
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
SELECT app_now(), $1, 'returns', 'order:' || order_id, 'return ' || $2, $3, $4 FROM taken
