-- The next publications ($4 and $5 on) that were confirmed before $3. The kind is kept from the planner, which would rather
-- read all of a kind by the primary key. Index: publication_confirmed.
SELECT key, confirmed_at FROM publication
WHERE scope = $1 AND kind || '' = ANY ($2::text[]) AND kind <> 'products'
  AND (confirmed_at, key) > ($4, $5::text) AND confirmed_at < $3
ORDER BY confirmed_at, key LIMIT $6
