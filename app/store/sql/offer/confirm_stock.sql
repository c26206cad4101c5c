-- Good lines of a finished import $2, if newer than what is confirmed; the bad ones ($3) are left out. The digest of a line
-- of stock is the quantity by warehouse.
-- Index: the primary keys.
UPDATE offer AS o SET
    stock_confirmed = l.value, stock_confirmed_apart = l.digest::jsonb, stock_confirmed_version = l.version,
    stock_confirmed_at = app_now()
FROM (SELECT $1::text AS scope, t.key, t.version, t.value, t.digest, t.dirty_since
      FROM import_line AS t
      WHERE t.import_id = $2 AND NOT t.key = ANY ($3::text[])
      ORDER BY t.key OFFSET 0) AS l
WHERE o.scope = ANY (ARRAY[l.scope]) AND o.sku = l.key AND l.version > o.stock_confirmed_version
RETURNING o.sku, l.dirty_since
