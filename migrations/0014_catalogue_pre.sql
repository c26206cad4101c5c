-- Centra's products as last read; what each channel's offers, prices and product files are derived from.
CREATE TABLE product (
    scope text NOT NULL,
    product_id bigint NOT NULL,
    facts jsonb NOT NULL,
    digest text NOT NULL,                                    -- of the facts
    read_at timestamptz NOT NULL,                            -- when the call that told it began
    changed_at timestamptz NOT NULL,                         -- when the facts last became other ones
    gone_at timestamptz,                                     -- a whole reading did not show it any more
    PRIMARY KEY (scope, product_id)
) WITH (fillfactor = 80);

-- The product of each SKU, and the SKU that a size had before, while its offers still bear it.
CREATE TABLE product_sku (
    scope text NOT NULL,
    sku text NOT NULL,
    product_id bigint NOT NULL,
    size_id bigint NOT NULL,
    PRIMARY KEY (scope, sku)
) WITH (fillfactor = 80);
CREATE INDEX product_sku_product ON product_sku (scope, product_id);
CREATE INDEX product_sku_size ON product_sku (scope, size_id);

-- What a channel is to have, was sent and is known to have, by digest: of each offer (without stock), each offer's prices
-- and each product. Versions are those of the outbox key.
CREATE TABLE publication (
    scope text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('offers', 'prices', 'products')),
    key text NOT NULL,                                       -- the SKU; of a product Centra's id
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'held', 'sent', 'waiting', 'live', 'rejected', 'differs',
                                                       'pending', 'gone')),
    since timestamptz NOT NULL,                              -- when it came to be so
    known boolean NOT NULL DEFAULT false,                    -- the marketplace has it, maybe as it was before
    reasons jsonb,                                           -- why it is not live, in a merchandiser's words
    body jsonb,                                              -- what is wanted, whole
    wanted text,                                             -- its digest
    sent text,
    sent_body jsonb,                                         -- what was wanted when it was sent
    sent_version bigint NOT NULL DEFAULT 0,
    confirmed text,
    confirmed_version bigint NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    voided_version bigint NOT NULL DEFAULT 0,                -- what is confirmed up to here is no longer believed
    approved text,                                           -- the digest that a person let go past a guard or a dry run
    corrected_at timestamptz,                                -- when it was last sent again since another one was live
    PRIMARY KEY (scope, kind, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX publication_open ON publication (scope, kind, state) WHERE state <> 'live';
CREATE INDEX publication_confirmed ON publication (scope, confirmed_at, key) WHERE kind <> 'products';

-- An offer as the marketplace's export shows it, all that we manage but its quantity, which `offer` has.
CREATE TABLE live_offer (
    scope text NOT NULL,
    sku text NOT NULL,
    facts jsonb NOT NULL,
    digest text NOT NULL,                                    -- of the facts
    read_at timestamptz NOT NULL,                            -- when they were first seen so
    PRIMARY KEY (scope, sku)
) WITH (fillfactor = 80);

-- What would change on a channel, as a person was shown it, and who let it go.
CREATE TABLE plan (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    live_at timestamptz,                                     -- of which instant the live offers were that it looked at
    summary jsonb,                                           -- its figures; none: it was not finished
    applied_at timestamptz,
    applied_by text,
    applied_why text
);

CREATE TABLE plan_line (
    plan bigint NOT NULL REFERENCES plan ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('stock', 'offers', 'prices', 'products')),
    key text NOT NULL,
    digest text NOT NULL,                                    -- of what would be sent; of stock the quantity
    outcome text CHECK (outcome IN ('approved', 'changed')), -- what became of it when the plan was applied
    PRIMARY KEY (plan, kind, key)
);

-- A line carries a quantity, or the digest of something larger; then its value is 0.
ALTER TABLE import_line ADD COLUMN digest text;
