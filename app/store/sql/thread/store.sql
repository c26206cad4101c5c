-- Threads as they were listed. Index: the primary key.
INSERT INTO thread AS t (scope, thread_id, order_id, waiting_since, updated_at)
SELECT $1, told.thread_id, told.order_id, told.waiting_since, told.updated_at
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
    AS told (thread_id, order_id, waiting_since, updated_at)
ON CONFLICT (scope, thread_id) DO UPDATE SET
    order_id = excluded.order_id, waiting_since = excluded.waiting_since, updated_at = excluded.updated_at
