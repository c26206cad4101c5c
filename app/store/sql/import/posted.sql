-- The far side took the import and named it $2. One that was given up meanwhile becomes late. Index: the primary key.
UPDATE import SET
    remote_id = $2, posted_at = app_now(), state = CASE WHEN state = 'sent' THEN 'running' ELSE 'late' END
WHERE id = $1 AND state IN ('sent', 'unknown')
RETURNING state
