-- Products that Centra does not have any more. Index: the primary key.
UPDATE product SET gone_at = app_now() WHERE scope = $1 AND product_id = ANY ($2::bigint[]) AND gone_at IS NULL
RETURNING product_id
