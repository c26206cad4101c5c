-- Something about these keys changed. Arrays of equal length in primary key order, no key twice; NULL times mean now.
-- Index: the primary key. Never changes not_before, so a hot key can't run through its own back-off.
INSERT INTO outbox AS o (scope, flow, key, lane, lane_rank, priority, dirty_since, due_at)
SELECT m.scope, m.flow, m.key, m.lane, m.lane_rank, m.priority, coalesce(m.since, app_now()), greatest(m.due, app_now())
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
            $7::timestamptz[], $8::timestamptz[])
     AS m (scope, flow, key, lane, lane_rank, priority, since, due)
ON CONFLICT (scope, flow, key) DO UPDATE SET
    version = o.version + 1,
    priority = CASE WHEN o.due_at IS NULL THEN excluded.priority ELSE least(o.priority, excluded.priority) END,
    redirtied_at = CASE WHEN o.claim IS NOT NULL THEN coalesce(o.redirtied_at, excluded.dirty_since) END,
    dirty_since = coalesce(o.dirty_since, excluded.dirty_since),
    due_at = CASE WHEN NOT o.firm
                  THEN greatest(least(coalesce(o.due_at, excluded.due_at), excluded.due_at), o.not_before) END,
    state = CASE WHEN o.firm THEN o.state ELSE 'ready' END
