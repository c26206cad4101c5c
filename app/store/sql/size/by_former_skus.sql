-- The living sizes that bore some SKUs before, which no living size bears now. Index: the primary keys of product_sku and
-- size, size_sku.
SELECT s.sku AS former, z.size_id, z.sku, z.free, z.stock_offset, z.active, z.preorder, z.deleted, z.read_at
FROM product_sku AS s JOIN size AS z ON z.scope = s.scope AND z.size_id = abs(s.size_id)
WHERE s.scope = $1 AND s.sku = ANY ($2::text[]) AND z.sku <> s.sku AND NOT z.deleted
  AND NOT EXISTS (SELECT FROM size AS o WHERE o.scope = s.scope AND o.sku = s.sku AND NOT o.deleted)
