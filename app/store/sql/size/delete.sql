-- Centra says that these sizes are gone. Index: the primary key.
UPDATE size SET deleted = true
WHERE scope = $1 AND size_id = ANY ($2::bigint[]) AND NOT deleted
RETURNING size_id, sku
