-- Live offers whose quantity, as read at $3, is not what was confirmed before the export was asked for, with nothing
-- newer on its way; by warehouse where both are known so. Index: the primary key.
SELECT o.sku
FROM offer AS o
WHERE o.scope = $1 AND o.sku = ANY ($2::text[]) AND o.live AND o.live_read_at = $3
  AND o.stock_confirmed_version > o.stock_voided_version
  AND o.stock_confirmed_version = coalesce(o.stock_sent_version, 0)
  AND o.stock_confirmed_at < $4
  AND (o.live_quantity IS DISTINCT FROM o.stock_confirmed OR o.live_apart <> o.stock_confirmed_apart)
