-- Offers that the marketplace has not listed for over $1 days and whose key is clean, with that key and what was shown of them.
WITH gone AS (
    DELETE FROM offer AS f
    WHERE NOT f.live AND f.seen_at < app_now() - $1::integer * interval '1 day'
      AND NOT EXISTS (SELECT 1 FROM outbox AS b WHERE b.scope = f.scope AND b.flow = 'stock' AND b.key = f.sku
                      AND (b.due_at IS NOT NULL OR b.state = 'held' OR b.claim IS NOT NULL))
    RETURNING f.scope, f.sku
), shown AS (
    DELETE FROM live_offer AS l USING gone AS g WHERE l.scope = g.scope AND l.sku = g.sku
)
DELETE FROM outbox AS o USING gone AS g
WHERE o.scope = g.scope AND o.flow = 'stock' AND o.key = g.sku AND o.due_at IS NULL AND o.claim IS NULL
