-- SKUs bear these codes ($2 kinds, $3 codes, $4 SKUs) from now ($5) on. Index: the primary key.
INSERT INTO product_code AS c (scope, kind, code, sku, since)
SELECT $1, t.kind, t.code, t.sku, $5 FROM unnest($2::text[], $3::text[], $4::text[]) AS t (kind, code, sku)
ON CONFLICT (scope, kind, code, sku) DO UPDATE SET since = excluded.since, gone_at = NULL WHERE c.gone_at IS NOT NULL
