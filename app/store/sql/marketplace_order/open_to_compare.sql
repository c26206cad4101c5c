-- As to_compare.sql, of orders made before $5 the open ones, by their deadline ($2 and $3 on). Index:
-- marketplace_order_open, centra_order_of.
SELECT o.*, ARRAY(
    SELECT c.number FROM centra_order AS c
    WHERE c.channel = o.scope AND c.order_id = o.order_id AND c.role = 'part' ORDER BY c.number
) AS parts
FROM marketplace_order AS o
WHERE o.scope = $1 AND (o.accept_by, o.order_id) > ($2, $3::text) AND o.ended_at IS NULL AND o.created_at < $5
    AND o.fulfilled_by = 'DEFAULT'
ORDER BY o.accept_by, o.order_id LIMIT $4
