-- SKUs under suspicion within the window of $2 seconds, or held ever since, by kind. Index: offer_suspect, the outbox's
-- primary key.
SELECT o.stock_suspicion AS kind, array_agg(o.sku) AS skus
FROM offer AS o
WHERE o.scope = $1 AND o.stock_suspected_at IS NOT NULL AND o.stock_suspicion IS NOT NULL
  AND (o.stock_suspected_at > app_now() - $2::double precision * interval '1 second'
       OR EXISTS (SELECT 1 FROM outbox AS b
                  WHERE b.scope = o.scope AND b.flow = 'stock' AND b.key = o.sku AND b.state = 'held'))
GROUP BY o.stock_suspicion
