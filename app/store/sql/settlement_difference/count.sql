-- Differences that are not gone, with the money at stake, and since when; none is where a rule explains it. Index:
-- settlement_difference_live.
SELECT scope, kind, state, currency, count(*) AS differences, min(opened_at) AS since,
    coalesce(sum(at_stake) FILTER (WHERE state <> 'explained' OR decided_by IS NOT NULL), 0)::bigint AS at_stake
FROM settlement_difference WHERE state <> 'closed' GROUP BY scope, kind, state, currency
ORDER BY scope, kind, state, currency
