-- SKUs bear these codes ($2 kinds, $3 codes, $4 SKUs) no more, as of $5. Index: the primary key.
UPDATE product_code AS c SET gone_at = $5
FROM (SELECT $1::text AS scope, t.kind, t.code, t.sku
      FROM unnest($2::text[], $3::text[], $4::text[]) AS t (kind, code, sku) OFFSET 0) AS s
WHERE c.scope = ANY (ARRAY[s.scope]) AND c.kind = s.kind AND c.code = s.code AND c.sku = s.sku
