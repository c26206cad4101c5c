-- One order, and the further Centra orders of it. Index: the primary key, centra_order_of.
SELECT o.*, ARRAY(
    SELECT c.number FROM centra_order AS c
    WHERE c.channel = o.scope AND c.order_id = o.order_id AND c.role = 'part' ORDER BY c.number
) AS parts
FROM marketplace_order AS o
WHERE o.scope = $1 AND o.order_id = $2
