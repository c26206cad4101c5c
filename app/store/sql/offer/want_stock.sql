-- What a pass decided for each SKU. Index: the primary key.
UPDATE offer AS o SET
    stock_wanted = w.quantity, stock_cause = w.cause,
    stock_suspicion = w.suspicion,
    stock_suspected_at = CASE WHEN w.suspicion IS NULL THEN o.stock_suspected_at ELSE app_now() END
FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[]) AS w (sku, quantity, cause, suspicion)
WHERE o.scope = $1 AND o.sku = w.sku
