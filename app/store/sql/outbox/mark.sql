-- Something about these keys changed. Keys $1 in primary key order, no key twice. The other arrays are as long, or empty:
-- then all keys share the value that stands in $9 to $12, or have none. Times: none is now. Never changes not_before, so a
-- hot key can't run through its own back-off. $13: the trace context of all of them; the first one since the claim stays.
-- Index: the primary key.
INSERT INTO outbox AS o (scope, flow, key, lane, lane_rank, priority, dirty_since, due_at, trace)
SELECT coalesce(m.scope, $9::text), coalesce(m.flow, $10::text), m.key, m.lane, coalesce(m.lane_rank, $11::smallint),
       coalesce(m.priority, $12::smallint), coalesce(m.since, app_now()), greatest(m.due, app_now()), $13::text
FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::timestamptz[],
            $8::timestamptz[])
     AS m (key, scope, flow, lane_rank, priority, lane, since, due)
ON CONFLICT (scope, flow, key) DO UPDATE SET
    version = o.version + 1,
    priority = CASE WHEN o.due_at IS NULL THEN excluded.priority ELSE least(o.priority, excluded.priority) END,
    redirtied_at = CASE WHEN o.claim IS NOT NULL THEN coalesce(o.redirtied_at, excluded.dirty_since) END,
    dirty_since = coalesce(o.dirty_since, excluded.dirty_since),
    due_at = CASE WHEN NOT o.firm
                  THEN greatest(least(coalesce(o.due_at, excluded.due_at), excluded.due_at), o.not_before) END,
    state = CASE WHEN o.firm THEN o.state ELSE 'ready' END,
    trace = CASE WHEN o.claim IS NOT NULL AND o.redirtied_at IS NULL THEN excluded.trace
                 ELSE coalesce(o.trace, excluded.trace) END
