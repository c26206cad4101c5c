-- The sizes that carry a SKU, to explain them to a person. Index: size_sku.
SELECT size_id, sku, free, stock_offset, active, preorder, deleted, read_at
FROM size WHERE scope = $1 AND sku = $2 ORDER BY deleted, size_id
