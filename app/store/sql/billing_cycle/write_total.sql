-- What the lines of a cycle come to, and where that is news the next cycle of its currency. Indexes: the primary key,
-- billing_cycle_created.
WITH written AS (
    UPDATE billing_cycle SET total = $3 WHERE scope = $1 AND cycle_id = $2 AND total IS DISTINCT FROM $3
    RETURNING scope, currency, created_at, cycle_id
)
SELECT n.cycle_id FROM written AS w
JOIN billing_cycle AS n ON n.scope = w.scope AND n.currency = w.currency
    AND (n.created_at, n.cycle_id) > (w.created_at, w.cycle_id)
ORDER BY n.created_at, n.cycle_id LIMIT 1
