-- Sizes as read by a request that began at $9, in primary key order; a read that began before the stored one changes
-- nothing. Gives those whose facts changed, and the SKU each had before. Index: the primary key.
WITH read AS (
    SELECT s.size_id, s.sku, s.variant_id, s.free::jsonb AS free, s.stock_offset, s.active, s.preorder
    FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::integer[], $7::boolean[], $8::boolean[])
         AS s (size_id, sku, variant_id, free, stock_offset, active, preorder)
), before AS MATERIALIZED (
    SELECT z.size_id, z.sku, (z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted)::text AS facts
    FROM size AS z
    WHERE z.scope = $1 AND z.size_id = ANY ($2)
), written AS (
    INSERT INTO size AS z (scope, size_id, sku, variant_id, free, stock_offset, active, preorder, read_at)
    SELECT $1, r.size_id, r.sku, r.variant_id, r.free, r.stock_offset, r.active, r.preorder, $9
    FROM read AS r
    ORDER BY r.size_id
    ON CONFLICT (scope, size_id) DO UPDATE SET
        sku = excluded.sku, variant_id = excluded.variant_id, free = excluded.free,
        stock_offset = excluded.stock_offset, active = excluded.active, preorder = excluded.preorder, deleted = false,
        read_at = excluded.read_at
    WHERE z.read_at <= excluded.read_at
    RETURNING z.size_id, z.sku, (z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted)::text AS facts
)
SELECT w.size_id, w.sku, b.sku AS sku_before
FROM written AS w LEFT JOIN before AS b ON b.size_id = w.size_id
WHERE b.size_id IS NULL OR b.facts <> w.facts
