-- How the work on keys ($3) of some flows ($2) stands: held, due or worked, in the import in flight, and when it was last
-- confirmed. $1 channel. Index: the primary keys, import_in_flight.
SELECT w.flow, k.key, b.state, b.reason, b.dirty_since, b.not_before > app_now() AS kept_back, i.dirty_since AS sent_since,
    CASE w.flow
        WHEN 'stock' THEN (SELECT o.stock_confirmed_at FROM offer AS o WHERE o.scope = $1 AND o.sku = k.key)
        ELSE (SELECT p.confirmed_at FROM publication AS p WHERE p.scope = $1 AND p.kind = w.flow AND p.key = k.key)
    END AS confirmed_at
FROM unnest($2::text[]) AS w (flow)
CROSS JOIN unnest($3::text[]) AS k (key)
LEFT JOIN LATERAL (SELECT * FROM outbox AS x WHERE x.scope = $1 AND x.flow = w.flow AND x.key = k.key LIMIT 1) AS b ON true
LEFT JOIN LATERAL (
    SELECT l.dirty_since FROM import AS m JOIN import_line AS l ON l.import_id = m.id
    WHERE m.scope = $1 AND m.kind = w.flow AND m.state IN ('sent', 'running') AND l.key = k.key LIMIT 1
) AS i ON true
