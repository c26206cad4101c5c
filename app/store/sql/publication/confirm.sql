-- Good lines of a finished import $3, if newer than what is confirmed; the bad ones ($4) are left out. $5: the state in
-- which they are now; what waits does so since it was sent. Index: the primary keys.
UPDATE publication AS p SET
    confirmed = l.digest, confirmed_version = l.version, confirmed_at = app_now(),
    known = p.known OR $5 = 'live',
    state = CASE WHEN p.sent_version = l.version THEN $5 ELSE p.state END,
    since = CASE WHEN p.sent_version = l.version AND $5 <> 'waiting' THEN app_now() ELSE p.since END
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key, t.version, t.digest, t.dirty_since
      FROM import_line AS t
      WHERE t.import_id = $3 AND NOT t.key = ANY ($4::text[])
      ORDER BY t.key OFFSET 0) AS l
WHERE p.scope = ANY (ARRAY[l.scope]) AND p.kind = l.kind AND p.key = l.key AND l.version > p.confirmed_version
RETURNING p.key, l.dirty_since
