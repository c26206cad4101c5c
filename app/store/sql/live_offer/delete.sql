-- Offers that are not there any more. Index: the primary key.
DELETE FROM live_offer WHERE scope = $1 AND sku = ANY ($2::text[])
