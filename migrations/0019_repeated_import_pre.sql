-- no-transaction
-- Imports that a marketplace took for earlier ones: the next is spelled otherwise.
CREATE INDEX CONCURRENTLY IF NOT EXISTS import_repeated ON import (scope, kind, sent_at) WHERE state = 'repeated';
