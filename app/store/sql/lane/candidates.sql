-- Lock up to $5 claimable keys of a lane flow of rank $6. A key is skipped while a due, ready key of lower rank waits in
-- its lane: a preference; safety is the lane row. Index: outbox_due, and outbox_lane for each key: a scalar subquery, since
-- NOT EXISTS becomes a join, and with stale statistics that walked all keys of lower rank for each candidate.
SELECT o.ctid AS place, o.key, o.lane
FROM outbox AS o
WHERE o.scope = $1 AND o.flow = $2 AND o.priority = $3
  AND o.due_at IS NOT NULL AND o.due_at >= $4 AND o.due_at <= app_now()
  AND (o.lease_until IS NULL OR o.lease_until < clock_timestamp())
  AND o.lost + (o.claim IS NOT NULL)::integer < 3
  AND (SELECT 1 FROM outbox AS p
       WHERE p.scope = $1 AND p.lane = o.lane AND p.lane_rank < $6
         AND p.due_at IS NOT NULL AND p.due_at <= app_now() AND p.state = 'ready' AND p.claim IS NULL
       LIMIT 1) IS NULL
ORDER BY o.due_at
LIMIT $5
FOR UPDATE OF o SKIP LOCKED
