-- Some billing cycles. Index: the primary key.
SELECT * FROM billing_cycle WHERE scope = $1 AND cycle_id = ANY ($2::text[])
