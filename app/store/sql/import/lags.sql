-- From the change to the report that confirmed it, in app seconds, over the lines after import $1.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY l.seconds) AS median,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY l.seconds) AS p99, max(l.seconds) AS max
FROM (SELECT extract(epoch FROM i.finished_at - x.dirty_since)::double precision AS seconds
      FROM import AS i JOIN import_line AS x ON x.import_id = i.id
      WHERE i.id > $1 AND i.state = 'done') AS l
