-- The next live offers ($3 on) whose SKU no living product of the source $2 bears. Index: the primary keys.
SELECT l.sku, l.facts, o.live_quantity
FROM live_offer AS l
JOIN offer AS o ON o.scope = l.scope AND o.sku = l.sku
WHERE l.scope = $1 AND l.sku > $3 AND o.live
  AND NOT EXISTS (SELECT 1 FROM product_sku AS s JOIN product AS p ON p.scope = s.scope AND p.product_id = s.product_id
                  WHERE s.scope = $2 AND s.sku = l.sku AND p.gone_at IS NULL)
ORDER BY l.sku LIMIT $4
