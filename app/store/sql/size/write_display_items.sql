-- Which variants are shown under each id. Index: the primary key.
INSERT INTO display_item (scope, display_item_id, variant_id)
SELECT $1, t.display_item_id, t.variant_id
FROM unnest($2::bigint[], $3::bigint[]) AS t (display_item_id, variant_id)
ORDER BY t.display_item_id, t.variant_id
ON CONFLICT DO NOTHING
