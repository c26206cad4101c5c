-- One fact, kept as it is until the transaction ends. Index: the primary key.
SELECT id, scope, kind, source_id, order_id, state, body, version, told, amount, currency, reason, advice, team,
    approved_by, noted_at, changed_at, held_at
FROM intent WHERE id = $1 FOR UPDATE
