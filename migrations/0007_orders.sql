-- Marketplace orders without their buyers, and how far each has come. Everything personal is in `buyer` alone.
CREATE TABLE marketplace_order (
    scope text NOT NULL,
    order_id text NOT NULL,                                  -- Mirakl's, opaque; the lane of all flows about it
    commercial_id text NOT NULL,
    state text NOT NULL,                                     -- Mirakl's, as last read
    fulfilled_by text NOT NULL,
    created_at timestamptz NOT NULL,                         -- Mirakl's instants
    updated_at timestamptz NOT NULL,
    ship_by timestamptz,
    accept_by timestamptz NOT NULL,                          -- created_at plus the channel's policy
    facts jsonb NOT NULL,                                    -- the order as last read
    read_at timestamptz NOT NULL,                            -- when the call that told it began
    unmarked boolean NOT NULL DEFAULT true,                  -- changed, and its flows are not marked yet
    seen_at timestamptz NOT NULL,
    decision jsonb,                                          -- which lines are accepted, and why
    decided_at timestamptz,
    choice text,                                             -- a person's: accept, refuse, import
    accept_sent_at timestamptz,
    accepted_at timestamptz,                                 -- Mirakl took our decision, or made its own
    accepted_by text,                                        -- us, system, somebody
    centra_number bigint,
    centra_id text,
    centra_customer bigint,
    centra_facts jsonb,                                      -- the Centra order as last read back
    created_in_centra_at timestamptz,
    converted_at timestamptz,
    completed_at timestamptz,
    checked_at timestamptz,
    centra_changed_at timestamptz,                           -- Centra says that it changed the order
    problem text,                                            -- why it stays blocked although it may be shipped
    problem_team text,
    blocked boolean NOT NULL DEFAULT true,
    confirmed_at timestamptz,
    referenced_at timestamptz,
    outcome text CHECK (outcome IN ('released', 'refused', 'cancelled', 'lapsed', 'recorded')),
    ended_at timestamptz,
    PRIMARY KEY (scope, order_id)
) WITH (fillfactor = 60);
CREATE INDEX marketplace_order_number ON marketplace_order (centra_number) WHERE centra_number IS NOT NULL;
CREATE INDEX marketplace_order_commercial ON marketplace_order (scope, commercial_id);
CREATE INDEX marketplace_order_open ON marketplace_order (scope, accept_by) WHERE ended_at IS NULL;
CREATE INDEX marketplace_order_unmarked ON marketplace_order (scope, order_id) WHERE unmarked;
CREATE INDEX marketplace_order_created ON marketplace_order (scope, created_at);

-- Buyer data, and nothing else: erased by request or age. A row without a body is a tombstone, which stays.
CREATE TABLE buyer (
    scope text NOT NULL,
    order_id text NOT NULL,
    body jsonb,
    email_hash bytea,                                        -- keyed; the only way to search by e-mail
    seen_at timestamptz NOT NULL,
    erased_at timestamptz,
    centra_customer bigint,                                  -- still to be erased there
    PRIMARY KEY (scope, order_id)
);
CREATE INDEX buyer_email ON buyer (email_hash) WHERE email_hash IS NOT NULL;

-- Units promised and not yet taken from Centra's free quantity; in the source's scope, so that channels share them.
CREATE TABLE reservation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,                                     -- the source
    channel text NOT NULL,
    order_id text NOT NULL,
    line_id text NOT NULL,
    sku text NOT NULL,
    quantity integer NOT NULL,                               -- live units; 0 once refused or cancelled
    placed integer NOT NULL DEFAULT 0,                       -- allocated or shipped in Centra, as read back
    placed_at timestamptz,
    absorbed integer NOT NULL DEFAULT 0,                     -- of these, contained in the free quantity that we hold
    reserved_at timestamptz NOT NULL,
    UNIQUE (channel, order_id, line_id)
) WITH (fillfactor = 70);
CREATE INDEX reservation_open ON reservation (scope, sku) WHERE absorbed < quantity;

-- Numbers that Centra gave for an order besides the one that counts: parts of a split, orphans of a lost answer.
CREATE TABLE centra_order (
    scope text NOT NULL,                                     -- the source
    number bigint NOT NULL,
    channel text NOT NULL,
    order_id text NOT NULL,
    role text NOT NULL CHECK (role IN ('part', 'orphan')),
    noted_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (scope, number)
);
CREATE INDEX centra_order_of ON centra_order (channel, order_id);

-- What offers cost at the marketplace, as read back: for the price guard.
CREATE TABLE offer_price (
    scope text NOT NULL,
    sku text NOT NULL,
    amount numeric NOT NULL,                                 -- in the channel's currency, in the platform's tax mode
    since timestamptz NOT NULL,
    PRIMARY KEY (scope, sku, since)
);
