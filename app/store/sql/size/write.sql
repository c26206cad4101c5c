-- Sizes as read by a request that began at $9, in primary key order; a read that began before the stored one changes
-- nothing and gives no row. Index: the primary key.
INSERT INTO size AS z (scope, size_id, sku, variant_id, free, stock_offset, active, preorder, read_at)
SELECT $1, s.size_id, s.sku, s.variant_id, s.free::jsonb, s.stock_offset, s.active, s.preorder, $9
FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::integer[], $7::boolean[], $8::boolean[])
     AS s (size_id, sku, variant_id, free, stock_offset, active, preorder)
ON CONFLICT (scope, size_id) DO UPDATE SET
    sku = excluded.sku, variant_id = excluded.variant_id, free = excluded.free,
    stock_offset = excluded.stock_offset, active = excluded.active, preorder = excluded.preorder, deleted = false,
    read_at = excluded.read_at
WHERE z.read_at <= excluded.read_at
RETURNING z.size_id, z.sku, (z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted)::text AS facts
