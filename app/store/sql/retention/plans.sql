-- Plans made over $1 days ago, with their lines.
DELETE FROM plan WHERE made_at < app_now() - $1::integer * interval '1 day'
