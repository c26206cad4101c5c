-- The reservations of an order. Index: reservation_channel_order_id_line_id_key.
SELECT line_id, sku, quantity, placed, absorbed, reserved_at FROM reservation
WHERE channel = $1 AND order_id = $2 ORDER BY line_id
