-- Which channels of $1 list which SKUs of $2. Index: the primary key.
SELECT scope, sku FROM offer WHERE scope = ANY ($1::text[]) AND sku = ANY ($2::text[]) AND live
