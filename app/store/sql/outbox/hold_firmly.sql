-- A person holds a key until a person lets it go: no mark ends it. No row while somebody works on it. Index: the primary key.
INSERT INTO outbox AS o (scope, flow, key, lane, lane_rank, state, firm, held_at, reason)
VALUES ($1, $2, $3, $3, $4, 'held', true, app_now(), $5)
ON CONFLICT (scope, flow, key) DO UPDATE SET
    state = 'held', firm = true, held_at = coalesce(o.held_at, app_now()), reason = excluded.reason, due_at = NULL,
    claim = NULL, lease_until = NULL, attempts = 0, lost = 0, lost_alone = 0, redirtied_at = NULL
WHERE o.claim IS NULL OR o.lease_until < clock_timestamp()
RETURNING o.key
