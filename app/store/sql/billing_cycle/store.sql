-- Billing cycles as told. Index: the primary key.
INSERT INTO billing_cycle AS c (scope, cycle_id, currency, created_at, state, paid, reference, failure, paid_at, totals,
    read_at)
SELECT $1, t.cycle_id, t.currency, t.created_at, t.state, t.paid, t.reference, t.failure, t.paid_at, t.totals::jsonb,
    app_now()
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::timestamptz[],
        $10::text[])
    AS t (cycle_id, currency, created_at, state, paid, reference, failure, paid_at, totals)
ON CONFLICT (scope, cycle_id) DO UPDATE SET
    currency = excluded.currency, created_at = excluded.created_at, state = excluded.state, paid = excluded.paid,
    reference = excluded.reference, failure = excluded.failure, paid_at = excluded.paid_at, totals = excluded.totals,
    read_at = excluded.read_at
