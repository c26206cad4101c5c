-- The differences of some subjects, kept as they are until the transaction ends. Index: settlement_difference_subject.
SELECT number, key, subject, kind, state, currency, expected, told, words, note, decided_by
FROM settlement_difference WHERE scope = $1 AND subject = ANY ($2::text[])
ORDER BY scope, key FOR UPDATE
