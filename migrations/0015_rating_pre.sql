-- Lines that ever had an incident: an order shows only those that are open.
CREATE TABLE line_incident (
    scope text NOT NULL,
    order_id text NOT NULL,
    line_id text NOT NULL,
    reason text,                                             -- code of RE01
    opened_at timestamptz NOT NULL,                          -- the order's update that showed it first
    PRIMARY KEY (scope, order_id, line_id)
);

-- What the shop answered to buyers, and when: a thread shows only since when it waits. Nobody's words are kept.
CREATE TABLE thread_reply (
    scope text NOT NULL,
    thread_id text NOT NULL,
    asked_at timestamptz NOT NULL,                           -- the first message that waited for it
    answered_at timestamptz NOT NULL,
    order_id text,
    PRIMARY KEY (scope, thread_id, asked_at)
);
CREATE INDEX thread_reply_answered ON thread_reply (scope, answered_at);

-- Each channel's figures, the marketplace's and ours, as last read or counted. Gauges and people read these few rows.
CREATE TABLE seller_rating (
    scope text NOT NULL,
    measure text NOT NULL,                                   -- with its unit, as late_percent
    source text NOT NULL CHECK (source IN ('marketplace', 'ours')),
    value numeric,                                           -- NULL: there is nothing to rate
    span text NOT NULL,                                      -- our days, or the marketplace's period
    orders integer,                                          -- how many stand behind it, where told
    told_at timestamptz NOT NULL,
    PRIMARY KEY (scope, measure, source)
);

-- Order lines as operators rate them (Mirakl's A21 counts lines). What is an order's is on its first line alone, `place` 1.
-- Always asked for by scope and creation, so that marketplace_order_created serves it.
CREATE VIEW rated_line AS
SELECT o.scope, o.order_id, o.created_at, o.state, o.accept_by, o.seen_at, o.decided_at, o.accept_sent_at, o.choice,
    o.decision, l.place, l.line ->> 'line_id' AS line_id, l.line ->> 'sku' AS sku, l.line -> 'taken' AS taken, v.verdict,
    -- When the order stopped waiting for us.
    coalesce(a.answered_at, o.accepted_at, o.ended_at, o.updated_at) AS left_at,
    CASE WHEN l.place = 1 AND o.state <> 'REFUSED' AND v.verdict IS NOT NULL
        THEN extract(epoch FROM a.answered_at - o.created_at) END AS acceptance_seconds,
    CASE WHEN v.verdict <> 'accepted' THEN NULL
        WHEN a.shipped_at IS NOT NULL THEN extract(epoch FROM a.shipped_at - o.ship_by)
        WHEN o.state = 'SHIPPING' AND l.line ->> 'state' NOT IN ('CANCELED', 'REFUNDED') AND o.ship_by < app_now()
        THEN extract(epoch FROM app_now() - o.ship_by) END AS late_seconds,
    CASE WHEN l.place = 1 THEN (
        SELECT bool_and(i.told #>> '{parcel,tracking}' <> '' AND i.told #>> '{carrier,code}' <> '')
        FROM intent AS i
        WHERE i.scope = o.scope AND i.order_id = o.order_id AND i.kind = 'shipment' AND i.state = 'done'
            AND i.told IS NOT NULL
    ) END AS tracked,
    jsonb_path_exists(l.line, '$.taken[*] ? (@.cancelation == true)') AS cancelled,
    jsonb_path_exists(l.line, '$.taken[*] ? (@.cancelation == false)') AS refunded,
    EXISTS (
        SELECT FROM line_incident AS t
        WHERE t.scope = o.scope AND t.order_id = o.order_id AND t.line_id = l.line ->> 'line_id'
    ) AS troubled
FROM marketplace_order AS o
CROSS JOIN LATERAL jsonb_array_elements(o.facts -> 'lines') WITH ORDINALITY AS l (line, place)
CROSS JOIN LATERAL (
    SELECT coalesce((o.facts ->> 'decided_at')::timestamptz, CASE WHEN o.accepted_by = 'us' THEN o.accepted_at END)
        AS answered_at, (l.line ->> 'shipped_at')::timestamptz AS shipped_at
) AS a
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN o.state IN ('STAGING', 'WAITING_ACCEPTANCE') THEN NULL
        WHEN l.line ->> 'state' = 'REFUSED' OR o.state = 'REFUSED' THEN
            CASE WHEN 'ACCEPTANCE_TIMEOUT' IN (l.line ->> 'state_reason', o.facts ->> 'state_reason') THEN 'lapsed'
                ELSE 'refused' END
        WHEN o.state = 'CANCELED' AND a.answered_at IS NULL AND o.accepted_at IS NULL THEN NULL
        ELSE 'accepted' END AS verdict
) AS v
WHERE o.fulfilled_by = 'DEFAULT';
