-- Lines about no order, written from $2 until before $3. Index: transaction_line_loose.
SELECT * FROM transaction_line WHERE scope = $1 AND order_id IS NULL AND created_at >= $2 AND created_at < $3
ORDER BY created_at, transaction_id
