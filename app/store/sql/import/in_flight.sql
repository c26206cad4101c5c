-- The import that occupies the slot of a channel and kind, if any. Index: import_in_flight.
SELECT id FROM import WHERE scope = $1 AND kind = $2 AND state IN ('sent', 'running')
