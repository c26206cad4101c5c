-- Answers of the shop, each once by the message that waited for it. Index: the primary key.
INSERT INTO thread_reply (scope, thread_id, asked_at, answered_at, order_id)
SELECT $1, told.thread_id, told.asked_at, told.answered_at, told.order_id
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
    AS told (thread_id, asked_at, answered_at, order_id)
ON CONFLICT (scope, thread_id, asked_at) DO NOTHING
