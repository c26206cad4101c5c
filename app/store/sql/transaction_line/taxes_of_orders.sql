-- Which types of tax the log has for some orders. Index: transaction_line_order.
SELECT DISTINCT order_id, type FROM transaction_line WHERE scope = $1 AND order_id = ANY ($2::text[]) AND tax IS NOT NULL
