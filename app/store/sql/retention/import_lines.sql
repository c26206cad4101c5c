-- Lines of up to 200 imports that ended over $1 days ago; their imports stay. Those of products are kept for 60 days, since
-- an operator may decide late. Run until it deletes nothing.
-- Index: import's primary key, import_line's primary key.
DELETE FROM import_line
WHERE import_id = ANY (ARRAY(
    SELECT i.id FROM import AS i
    WHERE i.finished_at < app_now() - $1::integer * interval '1 day'
      AND (i.kind <> 'products' OR i.finished_at < app_now() - interval '60 days')
      AND i.state IN ('done', 'failed', 'lost', 'refused', 'not_sent', 'repeated')
      AND EXISTS (SELECT 1 FROM import_line AS l WHERE l.import_id = i.id)
    ORDER BY i.id
    LIMIT 200))
