-- What is to be done about some orders after their sale, by kind. Indexes: intent_order, marketplace_return_order.
SELECT order_id, kind FROM intent WHERE scope = $1 AND order_id = ANY ($2::text[]) AND state <> 'done'
UNION
SELECT order_id, 'return' FROM marketplace_return WHERE scope = $1 AND order_id = ANY ($2::text[]) AND ended_at IS NULL
