-- Units still promised under a SKU ($2) count against the one ($3) that its size bears now. Index: reservation_open.
UPDATE reservation SET sku = $3 WHERE scope = $1 AND sku = $2 AND absorbed < quantity RETURNING channel, order_id, line_id
