-- Money between a marketplace and the shop. Amounts are whole minor units of the currency beside them; + is money for the shop.

-- The marketplace's transaction log as last told, one row a transaction. Types and states are its own words.
CREATE TABLE transaction_line (
    scope text NOT NULL,
    transaction_id text NOT NULL,
    type text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,                         -- the marketplace's instants
    updated_at timestamptz NOT NULL,
    cycle text,                                              -- the billing cycle that settles it; NULL: none yet
    order_id text,
    line_id text,
    refund_id text,
    tax text,
    tax_rate numeric,
    document text,
    payment text,
    label text NOT NULL DEFAULT '',
    read_at timestamptz NOT NULL,                            -- when it was last told otherwise than before
    PRIMARY KEY (scope, transaction_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX transaction_line_order ON transaction_line (scope, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX transaction_line_cycle ON transaction_line (scope, cycle) WHERE cycle IS NOT NULL;
CREATE INDEX transaction_line_loose ON transaction_line (scope, created_at) WHERE order_id IS NULL;
CREATE INDEX transaction_line_created ON transaction_line (scope, created_at, transaction_id);

-- Billing cycles with their pay-outs (SBC11).
CREATE TABLE billing_cycle (
    scope text NOT NULL,
    cycle_id text NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL,                                     -- of the pay-out, the marketplace's word
    paid bigint NOT NULL,                                    -- what goes to the seller
    reference text,
    failure text,
    paid_at timestamptz,
    totals jsonb NOT NULL,                                   -- of the summary, by their names
    total bigint,                                            -- what its lines come to, as last summed up
    read_at timestamptz NOT NULL,
    PRIMARY KEY (scope, cycle_id)
) WITH (fillfactor = 80);
CREATE INDEX billing_cycle_created ON billing_cycle (scope, created_at, cycle_id);
CREATE INDEX billing_cycle_unpaid ON billing_cycle (scope, created_at) WHERE state <> 'PAID';

-- Accounting documents (IV01).
CREATE TABLE accounting_document (
    scope text NOT NULL,
    document_id text NOT NULL,
    number text NOT NULL,
    type text NOT NULL,
    currency text NOT NULL,
    issued_at timestamptz NOT NULL,
    net bigint NOT NULL,
    gross bigint NOT NULL,
    cycle text,
    state text NOT NULL,
    payment_state text NOT NULL,
    due_at timestamptz,
    label text NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (scope, document_id)
) WITH (fillfactor = 80);
CREATE INDEX accounting_document_issued ON accounting_document (scope, issued_at);
CREATE INDEX accounting_document_number ON accounting_document (scope, number);

-- How far the money of each order has come: `since` it is owed, `settled_at` it is in a billing cycle.
CREATE TABLE order_settlement (
    scope text NOT NULL,
    order_id text NOT NULL,
    currency text NOT NULL,
    owed bigint NOT NULL,                                    -- by the log, as far as it is in no cycle
    since timestamptz,                                       -- when it was shipped; NULL: nothing is owed yet
    settled_at timestamptz,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (scope, order_id)
) WITH (fillfactor = 80);
CREATE INDEX order_settlement_unpaid ON order_settlement (scope, since, order_id) WHERE settled_at IS NULL AND since IS NOT NULL;

-- Where what was paid, billed or written down is not what was expected. Opens and closes by itself; a person's word stays
-- until the figures are other ones. Its history is the audit, under difference:<number>.
CREATE TABLE settlement_difference (
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,       -- for people, as d17
    scope text NOT NULL,
    key text NOT NULL,                                       -- found again, it is the same one
    subject text NOT NULL,                                   -- the key of the flow that derives it: an order, cycle:<id> …
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'explained', 'accepted', 'closed')),
    was text,                                                -- the state before, for the audit
    currency text NOT NULL,
    expected bigint,
    told bigint,
    at_stake bigint NOT NULL,                                -- how far apart they are; never negative
    places smallint NOT NULL,                                -- decimals of the currency
    words text NOT NULL,
    cycle text,
    order_id text,
    line_id text,
    note text,                                               -- why it is so: a rule's or a person's words
    decided_by text,                                         -- the person; NULL: a rule
    decided_at timestamptz,
    opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (scope, key)
) WITH (fillfactor = 70);
CREATE INDEX settlement_difference_subject ON settlement_difference (scope, subject);
CREATE INDEX settlement_difference_live ON settlement_difference (scope, state, kind, currency) INCLUDE (at_stake, opened_at)
    WHERE state <> 'closed';
CREATE INDEX settlement_difference_open ON settlement_difference (scope, kind, currency, places) INCLUDE (at_stake, opened_at)
    WHERE state = 'open';

-- As in 0011, and differences of money that nobody explained: of each kind and currency one row, with how many they are.
CREATE OR REPLACE VIEW held AS
SELECT 'i' || i.id AS item, i.scope, i.kind || 's' AS flow, i.order_id AS key, i.team, i.reason, i.advice, i.evidence,
    i.held_at, i.amount, i.currency, CASE WHEN i.kind IN ('shipment', 'cancellation') THEN o.ship_by END AS due_at,
    1::bigint AS items
FROM intent AS i
LEFT JOIN marketplace_order AS o ON o.scope = i.scope AND o.order_id = i.order_id
WHERE i.state = 'held'
UNION ALL
SELECT 'r:' || r.scope || ':' || r.return_id, r.scope, 'returns', r.order_id, r.team, r.reason, r.advice, NULL,
    r.held_at, NULL, NULL, NULL, 1
FROM marketplace_return AS r
WHERE r.held_at IS NOT NULL
UNION ALL
SELECT 'o:' || b.scope || ':' || b.flow || ':' || b.key, b.scope, b.flow, b.key, o.problem_team, b.reason, NULL, NULL,
    b.held_at, (o.facts ->> 'total_price')::numeric, o.facts ->> 'currency',
    CASE WHEN o.ended_at IS NOT NULL THEN NULL WHEN o.accepted_at IS NULL THEN o.accept_by ELSE o.ship_by END, 1
FROM outbox AS b
LEFT JOIN marketplace_order AS o ON o.scope = b.scope AND o.order_id = b.lane AND b.flow IN ('orders', 'order_entry')
WHERE b.state = 'held'
    AND NOT EXISTS (SELECT FROM intent AS i WHERE i.scope = b.scope AND i.order_id = b.key AND i.state = 'held'
        AND i.kind || 's' = b.flow)
    AND NOT EXISTS (SELECT FROM marketplace_return AS r WHERE r.scope = b.scope AND r.order_id = b.key
        AND r.held_at IS NOT NULL AND b.flow = 'returns')
UNION ALL
SELECT 's:' || d.scope || ':' || d.kind || ':' || d.currency, d.scope, 'matching', d.kind, 'finance',
    'differences of money: ' || replace(d.kind, '_', ' '), 'settle', NULL, min(d.opened_at),
    round(sum(d.at_stake) / power(10::numeric, d.places), d.places), d.currency, NULL, count(*)
FROM settlement_difference AS d WHERE d.state = 'open'
GROUP BY d.scope, d.kind, d.currency, d.places;
