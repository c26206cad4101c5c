-- The sizes shown by some display items of the storefront. Index: display_item's primary key, size_variant.
SELECT z.size_id
FROM display_item AS d JOIN size AS z ON z.scope = d.scope AND z.variant_id = d.variant_id
WHERE d.scope = $1 AND d.display_item_id = ANY ($2::bigint[]) AND NOT z.deleted
