-- Lines that nothing will be shipped of. Gives the SKUs. Index: reservation_channel_order_id_line_id_key.
UPDATE reservation SET quantity = 0
WHERE channel = $1 AND order_id = $2 AND line_id = ANY ($3::text[]) AND quantity > 0
RETURNING sku
