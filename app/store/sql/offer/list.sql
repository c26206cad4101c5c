-- Offers that an import of ours has made. Index: the primary key.
INSERT INTO offer (scope, sku, seen_at) SELECT $1, t.sku, app_now() FROM unnest($2::text[]) AS t (sku)
ON CONFLICT (scope, sku) DO UPDATE SET live = true, seen_at = excluded.seen_at WHERE NOT offer.live
