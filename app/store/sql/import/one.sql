-- One import. Index: the primary key.
SELECT id, scope, kind, effect_id, state, remote_id, lines, sent_at, posted_at, finished_at, report_reads
FROM import WHERE id = $1
