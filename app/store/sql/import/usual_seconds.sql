-- How long the last five imports of a kind took, at most, in app seconds. 
SELECT max(extract(epoch FROM t.finished_at - t.posted_at))::double precision
FROM (SELECT finished_at, posted_at FROM import
      WHERE scope = $1 AND kind = $2 AND state = 'done' ORDER BY id DESC LIMIT 5) AS t
