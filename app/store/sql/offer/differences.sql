-- Offers whose live quantity, as last read back, is not what was confirmed (by warehouse where both are known so), by channel. One confirmed within five minutes
-- before, or with something newer on its way, is not judged: an export shows a moment of its own. Reads all offers, once a
-- minute, never on the hot path.
SELECT scope, count(*) AS offers
FROM offer
WHERE live AND (live_quantity IS DISTINCT FROM stock_confirmed OR live_apart <> stock_confirmed_apart)
  AND stock_confirmed_version = coalesce(stock_sent_version, 0)
  AND stock_confirmed_at < live_read_at - interval '5 minutes'
GROUP BY scope
