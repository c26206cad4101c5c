-- Let keys run now that were refused for lanes just freed (one still busy refuses them again). A statement of its own after let_go.sql, whose snapshot sees a
-- refusal that committed while that one waited for the lane. Keys that somebody holds are passed over, since outbox rows
-- are locked before lanes: a marker makes them due itself, and who would refuse them waits for the lane and will get it.
-- Index: outbox_lane.
UPDATE outbox SET due_at = greatest(not_before, app_now()), reason = NULL
WHERE ctid = ANY (ARRAY(
    SELECT o.ctid
    FROM unnest($2::text[]) AS s (lane)
    CROSS JOIN LATERAL (
        SELECT b.ctid FROM outbox AS b
        WHERE b.scope = $1 AND b.lane = s.lane AND b.due_at IS NOT NULL AND b.due_at > app_now()
          AND b.reason = 'lane busy'
        FOR UPDATE SKIP LOCKED
    ) AS o))
RETURNING flow
