-- The marketplace's returns of an order, oldest first. Index: marketplace_return_order.
SELECT return_id, facts, taken, reason, approved_by, held_at, ended_at FROM marketplace_return
WHERE scope = $1 AND order_id = $2 ORDER BY seen_at, return_id
