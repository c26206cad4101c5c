-- What some SKUs cost since $3, and the price that held then. Index: the primary key.
SELECT s.sku, p.amount
FROM unnest($2::text[]) AS s (sku)
CROSS JOIN LATERAL (
    (SELECT o.amount FROM offer_price AS o WHERE o.scope = $1 AND o.sku = s.sku AND o.since <= $3 ORDER BY o.since DESC LIMIT 1)
    UNION ALL
    (SELECT o.amount FROM offer_price AS o WHERE o.scope = $1 AND o.sku = s.sku AND o.since > $3)
) AS p
