-- Finished imports of a kind after import $3, oldest first. 
SELECT id, remote_id FROM import
WHERE scope = $1 AND kind = $2 AND id > $3 AND state = 'done' AND remote_id IS NOT NULL ORDER BY id
