-- A number that Centra gave for an order besides the one that counts. Index: the primary key.
INSERT INTO centra_order (scope, number, channel, order_id, role, noted_at) VALUES ($1, $2, $3, $4, $5, app_now())
ON CONFLICT (scope, number) DO NOTHING
