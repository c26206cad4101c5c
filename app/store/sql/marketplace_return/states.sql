-- The states in which returns are stored. Index: the primary key.
SELECT return_id, facts ->> 'state' AS state FROM marketplace_return WHERE scope = $1 AND return_id = ANY ($2::text[])
