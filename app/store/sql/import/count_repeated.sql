-- How often within a day the far side took an import of a kind for an earlier one. Index: import_repeated.
SELECT count(*) FROM import
WHERE scope = $1 AND kind = $2 AND state = 'repeated' AND sent_at > app_now() - interval '1 day'
