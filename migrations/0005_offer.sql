-- What is wanted, sent and confirmed for each SKU of a channel. Versions are those of the outbox key.
CREATE TABLE offer (
    scope text NOT NULL,
    sku text NOT NULL,
    live boolean NOT NULL DEFAULT true,                      -- the marketplace lists it
    live_quantity integer,                                   -- as last read back
    live_read_at timestamptz,
    stock_wanted integer,
    stock_cause text,
    stock_sent integer,
    stock_sent_version bigint,
    stock_confirmed integer,
    stock_confirmed_version bigint NOT NULL DEFAULT 0,
    stock_confirmed_at timestamptz,
    stock_voided_version bigint NOT NULL DEFAULT 0,          -- what is confirmed up to here is no longer believed
    stock_approved_version bigint,
    stock_suspicion text,
    stock_suspected_at timestamptz,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (scope, sku)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX offer_suspect ON offer (scope, stock_suspected_at) WHERE stock_suspected_at IS NOT NULL;

-- Bulk writes that outlive a lease: one in flight for each channel and kind.
CREATE TABLE import (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('stock', 'prices', 'offers', 'products')),
    effect_id bigint NOT NULL REFERENCES effect (id),
    state text NOT NULL CHECK (state IN ('sent', 'running', 'done', 'failed', 'unknown', 'late', 'lost', 'refused',
                                         'not_sent', 'repeated')),
    remote_id text,
    lines integer NOT NULL,
    bad_lines integer,
    dirty_since timestamptz NOT NULL,                        -- of the oldest line
    sent_at timestamptz NOT NULL,
    posted_at timestamptz,
    finished_at timestamptz,
    report_reads integer NOT NULL DEFAULT 0,
    note text
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX import_in_flight ON import (scope, kind) WHERE state IN ('sent', 'running');
CREATE UNIQUE INDEX import_remote ON import (scope, kind, remote_id);
CREATE INDEX import_effect ON import (effect_id);

CREATE TABLE import_line (
    import_id bigint NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    key text NOT NULL,
    version bigint NOT NULL,
    value integer NOT NULL,
    dirty_since timestamptz NOT NULL,
    PRIMARY KEY (import_id, key)
);
