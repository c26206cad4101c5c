-- How far the money of some orders has come. Index: the primary key.
INSERT INTO order_settlement AS s (scope, order_id, currency, owed, since, settled_at, looked_at)
SELECT $1, t.order_id, t.currency, t.owed, t.since, CASE WHEN t.settled THEN app_now() END, app_now()
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::boolean[])
    AS t (order_id, currency, owed, since, settled)
ON CONFLICT (scope, order_id) DO UPDATE SET
    currency = excluded.currency, owed = excluded.owed, since = excluded.since, looked_at = excluded.looked_at,
    settled_at = CASE WHEN excluded.settled_at IS NOT NULL THEN coalesce(s.settled_at, excluded.settled_at) END
