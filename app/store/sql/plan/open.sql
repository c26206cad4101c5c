-- A plan that is being made.
INSERT INTO plan (scope, made_at, made_by, live_at) VALUES ($1, app_now(), $2, $3) RETURNING number
