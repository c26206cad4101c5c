-- Prices as read back at $4; a row for each change. Index: the primary key.
INSERT INTO offer_price (scope, sku, amount, since)
SELECT $1, p.sku, p.amount, $4
FROM unnest($2::text[], $3::numeric[]) AS p (sku, amount)
LEFT JOIN LATERAL (
    SELECT o.amount FROM offer_price AS o WHERE o.scope = $1 AND o.sku = p.sku ORDER BY o.since DESC LIMIT 1
) AS last ON true
WHERE last.amount IS DISTINCT FROM p.amount
ORDER BY p.sku
ON CONFLICT (scope, sku, since) DO NOTHING
