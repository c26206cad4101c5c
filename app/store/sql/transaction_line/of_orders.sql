-- Every line of some orders. Index: transaction_line_order.
SELECT * FROM transaction_line WHERE scope = $1 AND order_id = ANY ($2::text[])
