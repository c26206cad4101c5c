-- Lock known sizes in primary key order before they are written, and give their facts. Index: the primary key.
SELECT z.size_id, z.sku, (z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted)::text AS facts
FROM unnest($2::bigint[]) AS t (size_id)
CROSS JOIN LATERAL (
    SELECT * FROM size AS s WHERE s.scope = $1 AND s.size_id = t.size_id FOR UPDATE
) AS z
