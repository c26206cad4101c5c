-- The next orders ($2 on) that we ship and that are open, or were updated since $3. Index: the primary key.
SELECT o.*, ARRAY(
    SELECT c.number FROM centra_order AS c
    WHERE c.channel = o.scope AND c.order_id = o.order_id AND c.role = 'part' ORDER BY c.number
) AS parts
FROM marketplace_order AS o
WHERE o.scope = $1 AND o.order_id > $2 AND o.fulfilled_by = 'DEFAULT' AND (o.ended_at IS NULL OR o.updated_at > $3)
ORDER BY o.order_id LIMIT $4
