-- The newest cycles of a channel, or of all. A channel has some dozens a year. Index: billing_cycle_created.
SELECT * FROM billing_cycle WHERE $1::text IS NULL OR scope = $1 ORDER BY created_at DESC, scope, cycle_id LIMIT $2
