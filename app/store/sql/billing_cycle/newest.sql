-- The newest cycles of a channel, or of all. Index: billing_cycle_created.
SELECT c.*, (SELECT coalesce(sum(l.amount), 0)::bigint FROM transaction_line AS l
             WHERE l.scope = c.scope AND l.cycle = c.cycle_id AND l.type <> 'PAYMENT') AS summed
FROM billing_cycle AS c WHERE $1::text IS NULL OR c.scope = $1
ORDER BY c.created_at DESC, c.scope LIMIT $2
