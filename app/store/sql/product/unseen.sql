-- Products that a walk which began at $2 did not meet. 
SELECT product_id FROM product WHERE scope = $1 AND read_at < $2 AND gone_at IS NULL
