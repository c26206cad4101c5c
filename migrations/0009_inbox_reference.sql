-- no-transaction
-- The raw facts of one order, for its timeline.
CREATE INDEX CONCURRENTLY IF NOT EXISTS inbox_reference ON inbox (scope, source, reference);
