-- What a whole run that began at $3 did not see is gone; what was mended as it was found (member $4) stands for one run,
-- so that people see it. Gives how much of that is new since the run before, by kind. Index: parity_difference_open.
WITH last AS (
    SELECT k.kind, coalesce((SELECT r.began_at FROM parity_run AS r WHERE r.scope = $1 AND r.kind = k.kind),
                            '-infinity') AS began_at
    FROM unnest($2::text[]) AS k (kind)
), gone AS (
    UPDATE parity_difference AS d SET gone_at = app_now(), held_at = NULL
    FROM last
    WHERE d.scope = $1 AND d.kind = ANY ($2::text[]) AND d.kind = last.kind AND d.gone_at IS NULL AND d.last_seen_at < $3
      AND d.last_seen_at < CASE WHEN d.member = $4 THEN last.began_at ELSE $3::timestamptz END
)
SELECT d.kind, count(*) AS noticed
FROM last JOIN parity_difference AS d ON d.scope = $1 AND d.kind = last.kind
WHERE d.kind = ANY ($2::text[]) AND d.gone_at IS NULL AND d.member = $4 AND d.last_seen_at >= last.began_at AND d.last_seen_at < $3
GROUP BY d.kind
