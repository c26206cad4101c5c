-- One difference, kept as it is until the transaction ends. Index: parity_difference_id_key.
SELECT id, scope, kind, key, member, held_at FROM parity_difference WHERE id = $1 FOR UPDATE
