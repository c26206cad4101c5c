-- Lines of the log that the marketplace wrote over $1 days ago. Run until it deletes nothing. Index: transaction_line_created.
DELETE FROM transaction_line WHERE (scope, transaction_id) IN (
    SELECT scope, transaction_id FROM transaction_line WHERE created_at < app_now() - $1::integer * interval '1 day'
    LIMIT 10000)
