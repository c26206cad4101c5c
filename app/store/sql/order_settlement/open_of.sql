-- Orders of a channel that were shipped before $2 and are in no billing cycle at all, oldest first. Index:
-- order_settlement_unpaid.
SELECT order_id, currency, owed, since FROM order_settlement
WHERE scope = $1 AND settled_at IS NULL AND since IS NOT NULL AND since < $2
ORDER BY since, order_id
