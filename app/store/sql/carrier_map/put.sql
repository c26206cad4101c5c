-- One row of the carrier table. Index: the primary key.
INSERT INTO carrier_map (scope, text, code, name, url, mapped_by, mapped_at) VALUES ($1, $2, $3, $4, $5, $6, app_now())
ON CONFLICT (scope, text) DO UPDATE SET code = excluded.code, name = excluded.name, url = excluded.url,
    mapped_by = excluded.mapped_by, mapped_at = excluded.mapped_at
