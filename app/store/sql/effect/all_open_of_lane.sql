-- Calls of a flow about an order of which nobody knows how they ended. Index: effect_lane.
SELECT id, code, sent_at, intent FROM effect
WHERE scope = $1 AND lane = $2 AND flow = $3 AND state IN ('sent', 'unknown') ORDER BY id
