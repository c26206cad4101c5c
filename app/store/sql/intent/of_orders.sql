-- What was told of some orders after the sale, of some kinds, oldest first. Index: intent_order.
SELECT id, scope, kind, source_id, order_id, state, body, version, told, amount, currency, reason, advice, team,
    approved_by, noted_at, changed_at, held_at
FROM intent WHERE scope = $1 AND order_id = ANY ($2::text[]) AND kind = ANY ($3::text[]) ORDER BY id
