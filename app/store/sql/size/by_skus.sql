-- The sizes that carry some SKUs. Index: size_sku.
SELECT z.size_id, z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted, z.read_at
FROM size AS z WHERE z.scope = $1 AND z.sku = ANY ($2::text[]) ORDER BY z.sku, z.deleted, z.size_id
