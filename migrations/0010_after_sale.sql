-- Discrete facts that must each have one effect: a parcel, a cancellation, a refund, a document. Unique by their source.
CREATE TABLE intent (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('shipment', 'cancellation', 'refund', 'credit', 'document')),
    source_id text NOT NULL,                                 -- what told us, as centra:shipment:7788
    order_id text NOT NULL,                                  -- Mirakl's; the lane
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'held', 'done')),
    body jsonb NOT NULL,                                     -- what the source says, without buyer data
    version integer NOT NULL DEFAULT 1,                      -- rises when the source says something else
    read_at timestamptz NOT NULL,                            -- when the call that told it began
    told jsonb,                                              -- what the far side was told, and the ids it gave
    amount numeric,                                          -- money at stake
    currency text,
    reason text,                                             -- why a person is needed, or how it ended
    advice text,
    team text,
    evidence jsonb,
    approved_by text,                                        -- a person let it go past the channel's policy
    noted_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    held_at timestamptz,
    ended_at timestamptz,
    UNIQUE (scope, kind, source_id)
) WITH (fillfactor = 70);
CREATE INDEX intent_order ON intent (scope, order_id);
CREATE INDEX intent_left ON intent (scope, kind) WHERE state <> 'done';

-- Which fact a call is about, and what the far side showed before it: a doubt is decided against that.
ALTER TABLE effect ADD COLUMN intent bigint, ADD COLUMN snapshot jsonb;

-- Centra's carrier texts and what each is at a marketplace. Strict: what is not here is held.
CREATE TABLE carrier_map (
    scope text NOT NULL,
    text text NOT NULL,                                      -- folded: lower case, single blanks
    code text NOT NULL DEFAULT '',                           -- of SH21; else a free name with its tracking URL
    name text NOT NULL DEFAULT '',
    url text NOT NULL DEFAULT '',
    mapped_by text NOT NULL,
    mapped_at timestamptz NOT NULL,
    PRIMARY KEY (scope, text)
);

-- A return as the marketplace tells it, without personal members, and how far we walked it.
CREATE TABLE marketplace_return (
    scope text NOT NULL,
    return_id text NOT NULL,
    order_id text NOT NULL,
    facts jsonb NOT NULL,
    read_at timestamptz NOT NULL,                            -- when the call that told it began
    seen_at timestamptz NOT NULL,
    taken text[] NOT NULL DEFAULT '{}',                      -- steps that were taken
    reason text,                                             -- why it waits for a person, or how it ended
    advice text,
    team text,
    approved_by text,                                        -- a person let it go past the channel's policy
    held_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (scope, return_id)
) WITH (fillfactor = 70);
CREATE INDEX marketplace_return_order ON marketplace_return (scope, order_id);
CREATE INDEX marketplace_return_held ON marketplace_return (scope, held_at) WHERE held_at IS NOT NULL;

-- Conversations about orders that wait for an answer of the shop; what is said in them is not kept.
CREATE TABLE thread (
    scope text NOT NULL,
    thread_id text NOT NULL,
    order_id text,
    waiting_since timestamptz,                               -- NULL: nothing to answer
    updated_at timestamptz,
    PRIMARY KEY (scope, thread_id)
) WITH (fillfactor = 70);
CREATE INDEX thread_waiting ON thread (scope, waiting_since) WHERE waiting_since IS NOT NULL;
