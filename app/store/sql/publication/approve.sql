-- A person lets what is wanted for these keys go; all that is held where $3 is NULL. Index: publication_open, the primary key.
UPDATE publication SET approved = wanted
WHERE scope = $1 AND kind = $2 AND (key = ANY ($3::text[]) OR $3 IS NULL AND state = 'held') AND wanted IS NOT NULL
RETURNING key
