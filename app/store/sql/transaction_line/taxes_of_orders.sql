-- Which types of tax the log has for some orders. Index: transaction_line_order.
SELECT DISTINCT l.order_id, l.type FROM unnest($2::text[]) AS o (order_id)
JOIN transaction_line AS l ON l.scope = $1 AND l.order_id = o.order_id AND l.tax IS NOT NULL
