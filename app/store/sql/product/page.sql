-- The next products, in order. Index: the primary key.
SELECT product_id, facts FROM product WHERE scope = $1 AND product_id > $2 AND gone_at IS NULL ORDER BY product_id LIMIT $3
