-- What an import about to leave carries. Index: the primary key.
UPDATE offer AS o SET stock_sent = s.quantity, stock_sent_version = s.version
FROM (SELECT $1::text AS scope, t.sku, t.quantity, t.version
      FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS t (sku, quantity, version) OFFSET 0) AS s
WHERE o.scope = ANY (ARRAY[s.scope]) AND o.sku = s.sku
