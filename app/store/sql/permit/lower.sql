-- The platform says that less is left than we believe (somebody else uses the same allowance). Index: the primary key.
UPDATE permit SET tokens = least(tokens, $3), refreshed_at = app_now()
WHERE scope = $1 AND name = $2
