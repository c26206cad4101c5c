-- An earlier import that bears this remote id. Index: import_remote.
SELECT id FROM import WHERE scope = $1 AND kind = $2 AND remote_id = $3
