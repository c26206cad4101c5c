-- Claim up to $5 keys of one band, oldest first. Index: outbox_due. The ARRAY is an init plan, evaluated once, so a claim
-- never takes more than its limit whatever the statistics say. State is read by later statements.
UPDATE outbox SET
    claim = (SELECT nextval('claim_number')),
    claimed_version = version,
    lease_until = clock_timestamp() + $6::double precision * interval '1 second',
    redirtied_at = NULL,
    attempts = attempts + 1,
    lost = lost + (claim IS NOT NULL)::integer
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM outbox
    WHERE scope = $1 AND flow = $2 AND priority = $3
      AND due_at IS NOT NULL AND due_at >= $4 AND due_at <= app_now()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND lost + (claim IS NOT NULL)::integer < 3
    ORDER BY due_at
    LIMIT $5
    FOR UPDATE SKIP LOCKED))
RETURNING key, lane, version, claim, attempts, due_at, coalesce(dirty_since, due_at) AS dirty_since, trace, ctid AS place
