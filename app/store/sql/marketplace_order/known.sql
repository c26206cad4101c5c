-- What is stored of some orders, to see what is new. Index: the primary key.
SELECT o.order_id, o.updated_at, o.facts, o.ended_at
FROM marketplace_order AS o
WHERE o.scope = $1 AND o.order_id = ANY ($2::text[])
ORDER BY o.order_id
FOR UPDATE
