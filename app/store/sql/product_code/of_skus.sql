-- The codes that these SKUs bear, as far as it is stored. Index: product_code_sku.
SELECT sku, kind, code FROM product_code WHERE scope = $1 AND sku = ANY ($2::text[]) AND gone_at IS NULL
