-- Differences that are not gone, with the money at stake, and since when. Index: settlement_difference_live.
SELECT scope, kind, state, currency, count(*) AS differences, sum(at_stake)::bigint AS at_stake, min(opened_at) AS since
FROM settlement_difference WHERE state <> 'closed' GROUP BY scope, kind, state, currency
ORDER BY scope, kind, state, currency
