-- What the marketplace shows of these SKUs, with the quantity read last. Index: the primary keys.
SELECT l.sku, l.facts, o.live_quantity
FROM live_offer AS l
JOIN offer AS o ON o.scope = l.scope AND o.sku = l.sku
WHERE l.scope = $1 AND l.sku = ANY ($2::text[]) AND o.live
