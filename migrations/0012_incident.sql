-- no-transaction
-- Orders with an open incident are counted.
CREATE INDEX CONCURRENTLY IF NOT EXISTS marketplace_order_incident ON marketplace_order (scope, order_id)
    WHERE facts ->> 'has_incident' = 'true';
