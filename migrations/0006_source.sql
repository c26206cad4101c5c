-- Facts of the Centra environment, as last read.
CREATE TABLE size (
    scope text NOT NULL,
    size_id bigint NOT NULL,
    sku text NOT NULL,
    variant_id bigint,
    free jsonb NOT NULL,                                     -- free to allocate by warehouse; null: Centra gave no number
    stock_offset integer NOT NULL DEFAULT 0,
    active boolean NOT NULL,
    preorder boolean NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (scope, size_id)
) WITH (fillfactor = 70);
CREATE INDEX size_sku ON size (scope, sku);
CREATE INDEX size_variant ON size (scope, variant_id);

-- Which variants the storefront shows under an id; its webhooks name display items, older ones displays.
CREATE TABLE display_item (
    scope text NOT NULL,
    display_item_id bigint NOT NULL,
    variant_id bigint NOT NULL,
    PRIMARY KEY (scope, display_item_id, variant_id)
);

-- Facts with an identity of their own, stored before they are acknowledged; and events that could not be read (dead).
CREATE TABLE inbox (
    scope text NOT NULL,
    source text NOT NULL,                                    -- as centra.event
    identity text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    body jsonb NOT NULL,
    state text NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'dead')),
    reason text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (scope, source, identity)
);
CREATE INDEX inbox_dead ON inbox (scope, received_at) WHERE state = 'dead';

-- Signatures of webhooks taken, as replay keys for the time window.
CREATE TABLE webhook_seen (
    signature text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

-- Copies of what the platforms say about themselves: topology, carriers, switches. One for each scope and name.
CREATE TABLE mirror (
    scope text NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    read_at timestamptz NOT NULL,
    PRIMARY KEY (scope, name)
);

-- How far a walk through pages or a differential read has come. Apart from settings, so that nobody writes those back.
CREATE TABLE cursor (
    scope text NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (scope, name)
);
