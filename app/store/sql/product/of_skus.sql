-- The product of each SKU, as last read; `sharing`: how many SKUs its size has borne and not let go.
-- Index: the primary keys, product_sku_size.
SELECT s.sku, s.product_id, p.facts, p.gone_at IS NOT NULL AS gone,
       (SELECT array_agg(o.sku ORDER BY o.sku) FROM product_sku AS o WHERE o.scope = s.scope AND o.size_id = s.size_id) AS sharing
FROM product_sku AS s
JOIN product AS p ON p.scope = s.scope AND p.product_id = s.product_id
WHERE s.scope = $1 AND s.sku = ANY ($2::text[])
