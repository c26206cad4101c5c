-- Every line of some orders, order by order. Index: transaction_line_order.
SELECT l.* FROM unnest($2::text[]) AS o (order_id)
JOIN transaction_line AS l ON l.scope = $1 AND l.order_id = o.order_id
