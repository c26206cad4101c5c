-- The names of items with one cause, oldest first. Reads all that is held; for people.
SELECT item FROM held
WHERE scope = $1 AND flow = $2 AND team IS NOT DISTINCT FROM $3 AND reason IS NOT DISTINCT FROM $4
    AND advice IS NOT DISTINCT FROM $5
ORDER BY held_at, item
