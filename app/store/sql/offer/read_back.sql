-- What the marketplace says it has ($2 SKUs, $3 quantities, $4 listed, $6 quantities by warehouse), as of $5. Gives the
-- SKUs that are new here. Index: the primary key.
INSERT INTO offer AS o (scope, sku, live, live_quantity, live_apart, live_read_at, seen_at)
SELECT $1, e.sku, e.live, e.quantity, e.apart, $5, $5
FROM unnest($2::text[], $3::integer[], $4::boolean[], $6::jsonb[]) AS e (sku, quantity, live, apart)
ORDER BY e.sku
ON CONFLICT (scope, sku) DO UPDATE SET
    live = excluded.live, live_quantity = excluded.live_quantity, live_apart = excluded.live_apart,
    live_read_at = excluded.live_read_at, seen_at = excluded.seen_at
RETURNING o.sku, (xmax = 0) AS is_new, o.live
