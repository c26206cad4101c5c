-- The call cost more or less than was charged; tokens may fall below zero. Index: the primary key.
UPDATE permit SET tokens = least(capacity, tokens - $3)
WHERE scope = $1 AND name = $2
