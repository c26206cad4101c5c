-- Who reserves units of these SKUs takes turns, until the transaction ends; sorted, so that nobody waits in a circle.
SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || s.sku, 0))
FROM (SELECT DISTINCT u.sku FROM unnest($2::text[]) AS u (sku) ORDER BY u.sku) AS s
