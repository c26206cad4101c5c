-- What both ends have otherwise than each other, as the flow `parity` found it, and what was done about it. A row is gone
-- (gone_at) once a later run does not find it any more.
CREATE TABLE parity_difference (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    scope text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,                                       -- a SKU, an order, or what else the kind compares
    member text NOT NULL,
    ours text NOT NULL,
    theirs text NOT NULL,
    cause text NOT NULL,
    words text NOT NULL,
    team text NOT NULL,
    deed text NOT NULL CHECK (deed IN ('nothing', 'mended', 'held', 'resolved')),
    tries integer NOT NULL DEFAULT 0,                        -- how often its key was marked
    mended_at timestamptz,
    held_at timestamptz,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,                       -- when the run began that saw it last
    gone_at timestamptz,
    PRIMARY KEY (scope, kind, key, member)
) WITH (fillfactor = 70);
CREATE INDEX parity_difference_open ON parity_difference (scope, kind, last_seen_at) WHERE gone_at IS NULL;
CREATE INDEX parity_difference_held ON parity_difference (scope, held_at) WHERE held_at IS NOT NULL;

-- The last whole run of each kind.
CREATE TABLE parity_run (
    scope text NOT NULL,
    kind text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,                              -- when the copy of the far side was made
    compared bigint NOT NULL,
    differing bigint NOT NULL,
    on_its_way bigint NOT NULL,
    PRIMARY KEY (scope, kind)
) WITH (fillfactor = 70);

-- As in 0011, and differences that no flow can mend.
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
GROUP BY d.scope, d.kind, d.currency, d.places
UNION ALL
SELECT 'p' || d.id, d.scope, 'parity', d.key, d.team, d.kind || ' differ: ' || d.cause, NULL,
    jsonb_build_object('what', d.member, 'ours', d.ours, 'theirs', d.theirs, 'known by', d.words), d.held_at, NULL, NULL, NULL,
    1
FROM parity_difference AS d
WHERE d.held_at IS NOT NULL;
