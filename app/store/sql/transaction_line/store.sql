-- Lines of the log as told, once each; an older telling changes nothing. Index: the primary key.
INSERT INTO transaction_line AS l (scope, transaction_id, type, amount, currency, state, created_at, updated_at, cycle,
    order_id, line_id, refund_id, tax, tax_rate, document, payment, label, read_at)
SELECT $1, t.transaction_id, t.type, t.amount, t.currency, t.state, t.created_at, t.updated_at, t.cycle, t.order_id,
    t.line_id, t.refund_id, t.tax, t.tax_rate, t.document, t.payment, t.label, app_now()
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
        $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::numeric[], $15::text[], $16::text[], $17::text[])
    AS t (transaction_id, type, amount, currency, state, created_at, updated_at, cycle, order_id, line_id, refund_id, tax,
        tax_rate, document, payment, label)
ON CONFLICT (scope, transaction_id) DO UPDATE SET
    type = excluded.type, amount = excluded.amount, currency = excluded.currency, state = excluded.state,
    created_at = excluded.created_at, updated_at = excluded.updated_at, cycle = excluded.cycle, order_id = excluded.order_id,
    line_id = excluded.line_id, refund_id = excluded.refund_id, tax = excluded.tax, tax_rate = excluded.tax_rate,
    document = excluded.document, payment = excluded.payment, label = excluded.label, read_at = excluded.read_at
WHERE excluded.updated_at >= l.updated_at
