-- Accounting documents as told. Index: the primary key.
INSERT INTO accounting_document AS d (scope, document_id, number, type, currency, issued_at, net, gross, cycle, state,
    payment_state, due_at, label, read_at)
SELECT $1, t.document_id, t.number, t.type, t.currency, t.issued_at, t.net, t.gross, t.cycle, t.state, t.payment_state,
    t.due_at, t.label, app_now()
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[], $8::bigint[], $9::text[],
        $10::text[], $11::text[], $12::timestamptz[], $13::text[])
    AS t (document_id, number, type, currency, issued_at, net, gross, cycle, state, payment_state, due_at, label)
ON CONFLICT (scope, document_id) DO UPDATE SET
    number = excluded.number, type = excluded.type, currency = excluded.currency, issued_at = excluded.issued_at,
    net = excluded.net, gross = excluded.gross, cycle = excluded.cycle, state = excluded.state,
    payment_state = excluded.payment_state, due_at = excluded.due_at, label = excluded.label, read_at = excluded.read_at
