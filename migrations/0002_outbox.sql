-- Keys that have something to do (engine.md of the design). Rows are permanent: a clean row has due_at NULL.
CREATE SEQUENCE claim_number AS bigint;

CREATE TABLE outbox (
    scope text NOT NULL,
    flow text NOT NULL,
    key text NOT NULL,
    lane text,
    lane_rank smallint NOT NULL DEFAULT 0,
    priority smallint NOT NULL DEFAULT 1,                    -- 0 urgent, 1 normal, 2 background
    state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'waiting', 'held')),
    firm boolean NOT NULL DEFAULT false,                     -- a hold that only a person ends
    version bigint NOT NULL DEFAULT 1,
    claimed_version bigint,
    claim bigint,
    lease_until timestamptz,                                 -- real time, by clock_timestamp()
    dirty_since timestamptz,                                 -- lag is measured from here
    redirtied_at timestamptz,                                -- marked while claimed
    due_at timestamptz,                                      -- the earliest time it may run; app time
    not_before timestamptz NOT NULL DEFAULT '-infinity',     -- back-off; a mark never changes it
    attempts integer NOT NULL DEFAULT 0,
    lost integer NOT NULL DEFAULT 0,                         -- expired claims taken over since the last settle
    lost_alone integer NOT NULL DEFAULT 0,                   -- of these, the ones where it was claimed alone
    held_at timestamptz,
    reason text,
    PRIMARY KEY (scope, flow, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);

-- The one index that serves the claim. Lease, claim, version and counters stay out of it, so that claiming is HOT.
CREATE INDEX outbox_due ON outbox (scope, flow, priority, due_at) WHERE due_at IS NOT NULL;

-- Held work is few rows that people list; not on the hot path.
CREATE INDEX outbox_held ON outbox (scope, flow, held_at) WHERE state = 'held';

-- One row for each lane that was ever worked: all flows about one order take turns here.
CREATE TABLE lane (
    scope text NOT NULL,
    lane text NOT NULL,
    claim bigint,
    flow text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (scope, lane)
) WITH (fillfactor = 70);

-- Who waits in a lane; for the preference by rank and for waking keys when a lane is let go.
CREATE INDEX outbox_lane ON outbox (scope, lane, lane_rank) WHERE lane IS NOT NULL AND due_at IS NOT NULL;
