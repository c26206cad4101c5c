-- The next orders that we ship by their creation (after $2), at least $3 with those of the last one's instant, and the
-- further Centra orders of each. Index: marketplace_order_created, centra_order_of.
SELECT o.*, ARRAY(
    SELECT c.number FROM centra_order AS c
    WHERE c.channel = o.scope AND c.order_id = o.order_id AND c.role = 'part' ORDER BY c.number
) AS parts
FROM marketplace_order AS o
WHERE o.scope = $1 AND o.created_at > $2 AND o.fulfilled_by = 'DEFAULT'
ORDER BY o.created_at FETCH FIRST $3 ROWS WITH TIES
