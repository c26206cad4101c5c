-- What a whole run that began at $3 did not see is gone. Gives how much of it was mended as it was found, by kind.
-- Index: parity_difference_open.
WITH gone AS (
    UPDATE parity_difference SET gone_at = app_now(), held_at = NULL
    WHERE scope = $1 AND kind = ANY ($2::text[]) AND gone_at IS NULL AND last_seen_at < $3
    RETURNING kind, member
)
SELECT kind, count(*) FILTER (WHERE member = $4) AS noticed FROM gone GROUP BY kind
