-- Everything after the sale of an order, oldest first. Index: intent_order.
SELECT id, scope, kind, source_id, order_id, state, body, version, told, amount, currency, reason, advice, team,
    approved_by, noted_at, changed_at, held_at
FROM intent WHERE scope = $1 AND order_id = $2 ORDER BY id
