-- Business time. In production app_now() is the statement's time; the demo and the tests replace its body to offset,
-- scale or advance it (app/store/time.py). STABLE, so that the planner inlines it and indexes serve comparisons with it.
CREATE FUNCTION app_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT statement_timestamp()';

-- What the replaced body goes by, for the Python side. Empty in production.
CREATE TABLE app_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    app_at timestamptz NOT NULL,
    real_at timestamptz NOT NULL,
    scale double precision NOT NULL CHECK (scale > 0)
);
