-- The last import of each channel and kind, for status.
SELECT DISTINCT ON (scope, kind) scope, kind, state, lines, bad_lines, sent_at, finished_at
FROM import ORDER BY scope, kind, id DESC
