-- The rate of the app clock; no row is the wall clock.
SELECT app_at, real_at, scale FROM app_clock
