-- A channel's figures of one source ($2), as just read or counted. Index: the primary key.
INSERT INTO seller_rating AS r (scope, measure, source, value, span, orders, told_at)
SELECT $1, told.measure, $2, told.value, told.span, told.orders, coalesce(told.told_at, app_now())
FROM unnest($3::text[], $4::numeric[], $5::text[], $6::integer[], $7::timestamptz[])
    AS told (measure, value, span, orders, told_at)
ON CONFLICT (scope, measure, source) DO UPDATE SET
    value = excluded.value, span = excluded.span, orders = excluded.orders, told_at = excluded.told_at
