-- A person's word about one difference, where it is in one of the states $2 and, for an explanation, not a person's already;
-- with the audit's row. Index: settlement_difference_number_key.
WITH decided AS (
    UPDATE settlement_difference
    SET was = state, state = $3, note = $5, decided_by = $4, decided_at = app_now(), changed_at = app_now()
    WHERE number = $1 AND state = ANY ($2::text[]) AND ($3 = 'accepted' OR state = 'open' OR decided_by IS NULL)
    RETURNING number, scope, was, state, note
), audited AS (
    INSERT INTO audit (at, scope, actor, subject, from_state, to_state, detail)
    SELECT app_now(), scope, $4, 'difference:' || number, was, state, note FROM decided
)
SELECT number FROM decided
