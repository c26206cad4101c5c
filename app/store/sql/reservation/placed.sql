-- Units of lines that Centra shows as allocated or shipped, read by a call that began at $5.
-- Index: reservation_channel_order_id_line_id_key.
UPDATE reservation AS r SET placed = l.placed, placed_at = $5
FROM (SELECT u.line_id, u.placed FROM unnest($3::text[], $4::integer[]) AS u (line_id, placed) ORDER BY 1 OFFSET 0) AS l
WHERE r.channel = $1 AND r.order_id = $2 AND r.line_id = l.line_id AND r.placed < l.placed
RETURNING r.sku
