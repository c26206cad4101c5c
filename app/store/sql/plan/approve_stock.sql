-- A person lets exactly these quantities go ($2 SKUs, $3 quantities), unless others are wanted by now; what is held passes
-- at its present version. Index: the primary keys.
UPDATE offer AS o SET stock_approved_version = coalesce(b.version, o.stock_approved_version)
FROM unnest($2::text[], $3::integer[]) AS t (sku, quantity)
LEFT JOIN outbox AS b ON b.scope = $1 AND b.flow = 'stock' AND b.key = t.sku AND b.state = 'held'
WHERE o.scope = $1 AND o.sku = t.sku AND (o.stock_wanted IS NULL OR o.stock_wanted = t.quantity)
RETURNING o.sku
