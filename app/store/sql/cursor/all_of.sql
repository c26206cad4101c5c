-- Where one cursor stands in every scope; a few rows each.
SELECT scope, body::text AS body FROM cursor WHERE name = $1
