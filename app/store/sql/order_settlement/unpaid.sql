-- Orders that were shipped and are in no billing cycle, and since when the oldest is, for metrics. Index:
-- order_settlement_unpaid.
SELECT scope, count(*) AS orders, min(since) AS since
FROM order_settlement WHERE settled_at IS NULL AND since IS NOT NULL GROUP BY scope
