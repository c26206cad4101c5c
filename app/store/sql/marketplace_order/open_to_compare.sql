-- As to_compare.sql, of orders made before $4 the open ones, by the time they were to be accepted by (after $2). Index:
-- marketplace_order_open, centra_order_of.
SELECT o.*, ARRAY(
    SELECT c.number FROM centra_order AS c
    WHERE c.channel = o.scope AND c.order_id = o.order_id AND c.role = 'part' ORDER BY c.number
) AS parts
FROM marketplace_order AS o
WHERE o.scope = $1 AND o.accept_by > $2 AND o.ended_at IS NULL AND o.created_at <= $4 AND o.fulfilled_by = 'DEFAULT'
ORDER BY o.accept_by FETCH FIRST $3 ROWS WITH TIES
