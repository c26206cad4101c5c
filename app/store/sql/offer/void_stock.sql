-- What is confirmed for these SKUs is no longer believed: push again even if nothing changes. Mark them too.
-- Index: the primary key.
UPDATE offer SET stock_voided_version = greatest(stock_voided_version, stock_confirmed_version, coalesce(stock_sent_version, 0))
WHERE scope = $1 AND sku = ANY ($2::text[])
