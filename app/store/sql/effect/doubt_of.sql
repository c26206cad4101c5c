-- The call of a kind that is in doubt about an order, or held as undecidable. Index: effect_doubt.
SELECT id, code, state, sent_at, intent, snapshot FROM effect
WHERE scope = $1 AND lane = $2 AND doubt = $3 AND state IN ('sent', 'unknown', 'held')
