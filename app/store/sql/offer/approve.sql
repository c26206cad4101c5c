-- A person lets held changes of stock pass: versions up to the key's present one. Index: the primary keys.
UPDATE offer AS o SET stock_approved_version = b.version
FROM outbox AS b
WHERE o.scope = $1 AND (o.sku = ANY ($2::text[]) OR $2 IS NULL)
  AND b.scope = o.scope AND b.flow = 'stock' AND b.key = o.sku AND b.state = 'held'
RETURNING o.sku
