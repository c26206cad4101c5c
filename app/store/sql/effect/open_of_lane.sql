-- A call about an order of which nobody knows how it ended. Index: effect_lane.
SELECT id, state, sent_at FROM effect
WHERE scope = $1 AND lane = $2 AND code = $3 AND state IN ('sent', 'unknown') ORDER BY id DESC LIMIT 1
