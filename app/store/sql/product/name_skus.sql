-- Which product and size each SKU ($2 in order) is. A SKU that its size had before stays until it is let go.
-- Index: the primary key.
INSERT INTO product_sku (scope, sku, product_id, size_id)
SELECT $1, t.sku, t.product_id, t.size_id FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS t (sku, product_id, size_id)
ON CONFLICT (scope, sku) DO UPDATE SET product_id = excluded.product_id, size_id = excluded.size_id
