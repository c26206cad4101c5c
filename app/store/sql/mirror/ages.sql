-- Since when each copy of what a platform says is what we go by: mirrors, the live offers, Centra's products; and when the last
-- plan was made. Small tables.
SELECT scope, name, read_at FROM mirror
UNION ALL
SELECT scope, 'live offers', (body->>'last_asked_at')::timestamptz FROM cursor
WHERE name = 'read_back' AND body->>'last_asked_at' IS NOT NULL
UNION ALL
SELECT scope, 'products', (body->>'last_at')::timestamptz FROM cursor
WHERE name = 'catalogue_sweep' AND body->>'last_at' IS NOT NULL
UNION ALL
SELECT scope, 'plan', max(made_at) FROM plan GROUP BY scope
