-- What the lines of each cycle of a currency before one come to, the oldest first. Index: billing_cycle_created.
SELECT coalesce(total, 0) AS total FROM billing_cycle
WHERE scope = $1 AND currency = $2 AND (created_at, cycle_id) < ($3, $4)
ORDER BY created_at, cycle_id
