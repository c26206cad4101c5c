-- The sizes of some variants. Index: size_variant.
SELECT size_id FROM size WHERE scope = $1 AND variant_id = ANY ($2::bigint[]) AND NOT deleted
