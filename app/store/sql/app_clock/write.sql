-- Set the rate of the app clock; for the demo and the tests.
INSERT INTO app_clock (app_at, real_at, scale) VALUES ($1, $2, $3)
ON CONFLICT (single) DO UPDATE SET app_at = excluded.app_at, real_at = excluded.real_at, scale = excluded.scale
