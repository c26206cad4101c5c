-- Billing cycles closed over $1 days ago.
DELETE FROM billing_cycle WHERE created_at < app_now() - $1::integer * interval '1 day'
