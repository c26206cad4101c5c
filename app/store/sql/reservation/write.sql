-- Live units of each line of an order ($2 channel, $3 order): reserved at first sight, 0 once nothing is to be shipped.
-- Gives the SKUs whose reserved units changed. Index: reservation_channel_order_id_line_id_key.
INSERT INTO reservation AS r (scope, channel, order_id, line_id, sku, quantity, reserved_at)
SELECT $1, $2, $3, l.line_id, l.sku, l.quantity, app_now()
FROM unnest($4::text[], $5::text[], $6::integer[]) AS l (line_id, sku, quantity)
ORDER BY l.line_id
ON CONFLICT (channel, order_id, line_id) DO UPDATE SET quantity = excluded.quantity, sku = excluded.sku
WHERE (r.quantity, r.sku) IS DISTINCT FROM (excluded.quantity, excluded.sku)
RETURNING r.sku
