-- Offers that the marketplace does not list any more, as its last full export says. Index: the primary keys.
DELETE FROM live_offer AS l
WHERE l.scope = $1 AND NOT EXISTS (SELECT 1 FROM offer AS o WHERE o.scope = l.scope AND o.sku = l.sku AND o.live)
