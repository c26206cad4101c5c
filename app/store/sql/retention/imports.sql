-- Imports that ended over $1 days ago, with whatever lines they still have.
DELETE FROM import
WHERE finished_at < app_now() - $1::integer * interval '1 day'
  AND state IN ('done', 'failed', 'lost', 'refused', 'not_sent', 'repeated')
