-- Claim keys locked by candidates.sql or suspects.sql in this transaction, whose lanes came back, with the lanes' claim
-- number $2. By their places, which stand while they are locked. $4: they were claimed alone before, so that loss is theirs.
UPDATE outbox SET
    claim = $2,
    claimed_version = version,
    lease_until = clock_timestamp() + $3::double precision * interval '1 second',
    redirtied_at = NULL,
    attempts = attempts + 1,
    lost_alone = lost_alone + (claim IS NOT NULL AND $4::boolean)::integer,
    lost = lost + (claim IS NOT NULL)::integer
WHERE ctid = ANY ($1::tid[])
RETURNING key, lane, version, claim, attempts, due_at, coalesce(dirty_since, due_at) AS dirty_since, trace, lost_alone
