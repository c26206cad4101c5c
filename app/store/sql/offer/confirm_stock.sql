-- Good lines of a finished import $2, if newer than what is confirmed; the bad ones ($3) are left out.
-- Index: the primary keys.
UPDATE offer AS o SET
    stock_confirmed = l.value, stock_confirmed_version = l.version, stock_confirmed_at = app_now()
FROM import_line AS l
WHERE l.import_id = $2 AND NOT l.key = ANY ($3::text[])
  AND o.scope = $1 AND o.sku = l.key AND l.version > o.stock_confirmed_version
RETURNING o.sku, l.dirty_since
