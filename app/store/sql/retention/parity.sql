-- Differences that are gone for over $1 days.
DELETE FROM parity_difference WHERE gone_at < app_now() - $1::integer * interval '1 day'
