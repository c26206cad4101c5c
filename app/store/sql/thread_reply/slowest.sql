-- The answers since $2 that took longest, at most $3. Index: thread_reply_answered; asked by people.
SELECT coalesce(order_id, thread_id) AS order_id, asked_at,
    extract(epoch FROM answered_at - asked_at)::double precision AS seconds
FROM thread_reply WHERE scope = $1 AND answered_at >= $2
ORDER BY answered_at - asked_at DESC, thread_id LIMIT $3
