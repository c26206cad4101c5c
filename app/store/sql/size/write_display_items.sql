-- Which variant each display item shows. Index: the primary key.
INSERT INTO display_item AS d (scope, display_item_id, variant_id)
SELECT $1, t.display_item_id, t.variant_id
FROM unnest($2::bigint[], $3::bigint[]) AS t (display_item_id, variant_id)
ORDER BY t.display_item_id
ON CONFLICT (scope, display_item_id) DO UPDATE SET variant_id = excluded.variant_id
WHERE d.variant_id <> excluded.variant_id
