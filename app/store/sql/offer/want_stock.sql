-- What a pass decided for each SKU. Index: the primary key.
UPDATE offer AS o SET
    stock_wanted = w.quantity, stock_cause = w.cause,
    stock_suspicion = coalesce(w.suspicion, o.stock_suspicion),
    stock_suspected_at = CASE WHEN w.suspicion IS NULL THEN o.stock_suspected_at ELSE app_now() END
FROM (SELECT $1::text AS scope, t.sku, t.quantity, t.cause, t.suspicion
      FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[]) AS t (sku, quantity, cause, suspicion) OFFSET 0) AS w
WHERE o.scope = ANY (ARRAY[w.scope]) AND o.sku = w.sku
