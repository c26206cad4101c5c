-- The SKUs that bear these codes ($2 kinds, $3 codes), and since when. Index: the primary key.
SELECT c.kind, c.code, c.sku, c.since
FROM (SELECT $1::text AS scope, t.kind, t.code FROM unnest($2::text[], $3::text[]) AS t (kind, code) OFFSET 0) AS s
JOIN product_code AS c ON c.scope = ANY (ARRAY[s.scope]) AND c.kind = s.kind AND c.code = s.code AND c.gone_at IS NULL
