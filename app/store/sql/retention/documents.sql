-- Accounting documents issued over $1 days ago.
DELETE FROM accounting_document WHERE issued_at < app_now() - $1::integer * interval '1 day'
