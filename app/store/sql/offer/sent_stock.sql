-- What an import about to leave carries. Index: the primary key.
UPDATE offer AS o SET stock_sent = s.quantity, stock_sent_version = s.version
FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS s (sku, quantity, version)
WHERE o.scope = $1 AND o.sku = s.sku
