-- The next SKUs of a channel after $2, in order; for full pushes and pages of people. Index: the primary key.
SELECT sku FROM offer WHERE scope = $1 AND sku > $2 AND live ORDER BY sku LIMIT $3
