-- How often a call about an order was refused. Index: effect_lane.
SELECT count(*) FROM effect WHERE scope = $1 AND lane = $2 AND code = $3 AND state = 'refused'
