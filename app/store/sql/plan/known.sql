-- The next living products ($2 on) with every SKU that is or was theirs, and the sizes that bear them.
-- Index: the primary key, product_sku_product.
SELECT p.product_id, p.facts, s.skus, s.sizes
FROM (SELECT scope, product_id, facts FROM product
      WHERE scope = $1 AND product_id > $2 AND gone_at IS NULL ORDER BY product_id LIMIT $3) AS p
LEFT JOIN LATERAL (SELECT array_agg(k.sku ORDER BY k.sku) AS skus, array_agg(k.size_id ORDER BY k.sku) AS sizes
                   FROM product_sku AS k WHERE k.scope = p.scope AND k.product_id = p.product_id) AS s ON true
ORDER BY p.product_id
