-- How an import ended. Index: the primary key.
UPDATE import SET state = $2, bad_lines = $3, note = $4, finished_at = app_now()
WHERE id = $1 AND state NOT IN ('done', 'failed', 'lost', 'refused', 'not_sent', 'repeated')
RETURNING id
