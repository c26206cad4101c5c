-- When the oldest of a kind was sent that nobody has decided yet. Index: publication_open.
SELECT min(since) FROM publication WHERE scope = $1 AND kind = $2 AND state IN ('sent', 'waiting')
