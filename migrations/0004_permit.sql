-- Call permits: token buckets that every replica shares. A Mirakl ceiling is a bucket of one token that refills in its
-- spacing; Centra's allowance is six buckets. Logged, because an empty table after a crash would break a ceiling.
CREATE TABLE permit (
    scope text NOT NULL,
    name text NOT NULL,
    capacity double precision NOT NULL CHECK (capacity > 0),
    refill_per_second double precision NOT NULL CHECK (refill_per_second > 0),
    tokens double precision NOT NULL,
    refreshed_at timestamptz NOT NULL,
    closed_until timestamptz NOT NULL DEFAULT '-infinity',   -- from a 429's Retry-After
    grants bigint NOT NULL DEFAULT 0,
    last_cost double precision NOT NULL DEFAULT 0,           -- of the last grant, which alone can be handed back
    PRIMARY KEY (scope, name)
) WITH (fillfactor = 50);
