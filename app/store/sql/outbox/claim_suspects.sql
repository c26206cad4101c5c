-- As claim.sql, for keys that were lost equally often ($5), in a slice of $6 that shrinks with each loss. $8: the slice
-- before this one held a single key, so that loss is its own. Index: outbox_due.
UPDATE outbox SET
    claim = (SELECT nextval('claim_number')),
    claimed_version = version,
    lease_until = clock_timestamp() + $7::double precision * interval '1 second',
    redirtied_at = NULL,
    attempts = attempts + 1,
    lost_alone = lost_alone + (claim IS NOT NULL AND $8::boolean)::integer,
    lost = lost + (claim IS NOT NULL)::integer
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM outbox
    WHERE scope = $1 AND flow = $2 AND priority = $3
      AND due_at IS NOT NULL AND due_at >= $4 AND due_at <= app_now()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND lost + (claim IS NOT NULL)::integer = $5
    ORDER BY due_at
    LIMIT $6
    FOR UPDATE SKIP LOCKED))
RETURNING key, lane, version, claim, attempts, due_at, coalesce(dirty_since, due_at) AS dirty_since, trace, lost_alone
