-- no-transaction
-- What was done about one order, for its timeline and for what is in doubt. One statement: without a transaction it must bear repetition.
CREATE INDEX CONCURRENTLY IF NOT EXISTS effect_lane ON effect (scope, lane, id) WHERE lane IS NOT NULL;
