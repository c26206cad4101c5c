-- A SKU that its size bears no more: its offer may leave. Index: the primary key.
UPDATE product_sku SET size_id = -abs(size_id) WHERE scope = $1 AND sku = $2 RETURNING sku
