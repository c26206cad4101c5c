-- What was done about an order, oldest first. Index: effect_lane.
SELECT id, flow, code, class, state, detail, planned_at, sent_at, decided_at FROM effect
WHERE scope = $1 AND lane = $2 ORDER BY id
