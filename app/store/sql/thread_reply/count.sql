-- How many answers a channel's shop gave since $2, and how long buyers had waited. Index: thread_reply_answered.
SELECT count(*) AS answers, coalesce(sum(extract(epoch FROM answered_at - asked_at)), 0) AS seconds
FROM thread_reply WHERE scope = $1 AND answered_at >= $2
