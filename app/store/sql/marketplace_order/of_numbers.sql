-- The marketplace orders behind some Centra numbers, parts of a split included. Indexes: marketplace_order_number, the
-- primary key of centra_order.
SELECT scope, order_id FROM marketplace_order WHERE centra_number = ANY ($1::bigint[])
UNION
SELECT channel, order_id FROM centra_order WHERE scope = $2 AND number = ANY ($1::bigint[]) AND role = 'part'
