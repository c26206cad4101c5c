-- SKUs under suspicion within the window of $2 seconds, by kind. Index: offer_suspect.
SELECT stock_suspicion AS kind, array_agg(sku) AS skus
FROM offer
WHERE scope = $1 AND stock_suspected_at > app_now() - $2::double precision * interval '1 second'
  AND stock_suspicion IS NOT NULL
GROUP BY stock_suspicion
