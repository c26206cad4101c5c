-- What is stored of some orders. Index: the primary key.
SELECT o.order_id, o.facts FROM marketplace_order AS o WHERE o.scope = $1 AND o.order_id = ANY ($2::text[])
