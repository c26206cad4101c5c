-- Offers as an export shows them ($2 in order), where they changed. Index: the primary key.
INSERT INTO live_offer AS o (scope, sku, facts, digest, read_at)
SELECT $1, t.sku, t.facts, t.digest, $5 FROM unnest($2::text[], $3::jsonb[], $4::text[]) AS t (sku, facts, digest)
ON CONFLICT (scope, sku) DO UPDATE SET facts = excluded.facts, digest = excluded.digest, read_at = excluded.read_at
WHERE o.digest <> excluded.digest
