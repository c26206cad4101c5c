-- Somebody applies a plan that nobody has applied before.
UPDATE plan SET applied_at = app_now(), applied_by = $2, applied_why = $3 WHERE number = $1 AND applied_at IS NULL RETURNING number
