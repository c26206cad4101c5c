-- Calls that change something outside. A row is committed as 'sent' before the first byte leaves.
CREATE TABLE effect (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    flow text NOT NULL,
    code text NOT NULL,                                      -- the API code, as STO01
    class text NOT NULL CHECK (class IN ('safe', 'state', 'create')),
    lane text,
    key text,
    doubt text,                                              -- what may be in doubt only once for a lane
    state text NOT NULL CHECK (state IN ('planned', 'sent', 'applied', 'refused', 'unknown', 'not_applied', 'held')),
    attempt integer NOT NULL DEFAULT 1,
    detail text,                                             -- the far side's words, never buyer data
    planned_at timestamptz NOT NULL,
    sent_at timestamptz,
    decided_at timestamptz
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX effect_doubt ON effect (scope, lane, doubt)
    WHERE doubt IS NOT NULL AND state IN ('sent', 'unknown', 'held');
CREATE INDEX effect_open ON effect (scope, state, sent_at) WHERE state IN ('sent', 'unknown', 'held');

-- Every transition and every act of a person. Insert-only; retention drops partitions.
CREATE TABLE audit (
    at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    scope text NOT NULL,
    actor text NOT NULL,                                     -- the flow, or the person
    subject text NOT NULL,                                   -- as effect:17, stock:VX-100-M
    from_state text,
    to_state text NOT NULL,
    detail text,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
CREATE INDEX audit_subject ON audit (scope, subject, at);
