-- A plan is made, with its figures.
UPDATE plan SET summary = $2 WHERE number = $1
