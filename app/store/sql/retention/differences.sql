-- Differences of money that were closed or accepted over $1 days ago; what is open or explained stays.
DELETE FROM settlement_difference
WHERE state IN ('closed', 'accepted') AND changed_at < app_now() - $1::integer * interval '1 day'
