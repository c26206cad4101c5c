-- The product of each SKU, as last read; `sharing`: the SKUs that its size has borne and not let go, `before`: those that
-- it let go. Index: the primary keys, product_sku_size.
SELECT s.sku, s.product_id, p.facts, p.gone_at IS NOT NULL AS gone, s.size_id < 0 AS let_go,
       (SELECT array_agg(o.sku ORDER BY o.sku) FROM product_sku AS o WHERE o.scope = s.scope AND o.size_id = s.size_id) AS sharing,
       (SELECT array_agg(o.sku ORDER BY o.sku) FROM product_sku AS o
        WHERE o.scope = s.scope AND o.size_id = -s.size_id AND s.size_id > 0) AS before
FROM product_sku AS s
JOIN product AS p ON p.scope = s.scope AND p.product_id = s.product_id
WHERE s.scope = $1 AND s.sku = ANY ($2::text[])
