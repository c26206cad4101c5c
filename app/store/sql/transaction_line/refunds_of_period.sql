-- Lines of refunds written from $2 until before $3, by order and refund; in a cycle that was closed by then ($3). Index:
-- transaction_line_created.
SELECT l.scope, l.transaction_id, l.type, l.amount, l.currency, l.state, l.created_at, l.updated_at,
    CASE WHEN c.created_at < $3 THEN l.cycle END AS cycle, l.order_id, l.line_id, l.refund_id, l.tax, l.tax_rate,
    l.document, l.payment, l.label
FROM transaction_line AS l
LEFT JOIN billing_cycle AS c ON c.scope = l.scope AND c.cycle_id = l.cycle
WHERE l.scope = $1 AND l.created_at >= $2 AND l.created_at < $3 AND l.refund_id IS NOT NULL
ORDER BY l.order_id, l.refund_id, l.created_at, l.transaction_id
