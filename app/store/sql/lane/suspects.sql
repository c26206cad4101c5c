-- Lock the oldest claimable key of a lane flow, from $4 on, whose claims were lost three times or more ($5: how many keys;
-- always one). Index: outbox_due.
SELECT ctid AS place, key, lane, lost + (claim IS NOT NULL)::integer AS lost
FROM outbox
WHERE scope = $1 AND flow = $2 AND priority = $3
  AND due_at IS NOT NULL AND due_at >= $4 AND due_at <= app_now()
  AND (lease_until IS NULL OR lease_until < clock_timestamp())
  AND lost + (claim IS NOT NULL)::integer >= 3
ORDER BY due_at
LIMIT $5
FOR UPDATE SKIP LOCKED
