-- Offers that a full export of $2 did not name are no longer listed. Index: the primary key.
UPDATE offer SET live = false WHERE scope = $1 AND seen_at < $2 AND live RETURNING sku
