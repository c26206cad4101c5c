-- Offers that an import of ours deleted. Index: the primary key.
UPDATE offer SET live = false WHERE scope = $1 AND sku = ANY ($2::text[]) AND live
