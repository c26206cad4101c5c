-- Differences that are gone, with the audit's rows. Index: the primary key.
WITH closed AS (
    UPDATE settlement_difference SET was = state, state = 'closed', changed_at = app_now(), closed_at = app_now()
    WHERE scope = $1 AND key = ANY ($3::text[]) AND state <> 'closed'
    RETURNING number, was, words
)
INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
SELECT app_now(), $1, $2, 'difference:' || number, was, 'closed', words FROM closed
