-- The SKUs of products, those that their sizes had before among them. Index: product_sku_product.
SELECT sku FROM product_sku WHERE scope = $1 AND product_id = ANY ($2::bigint[]) ORDER BY sku
