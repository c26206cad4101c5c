-- What counts as bad for the measure $3 over the orders created since $2, the newest (of times the worst) first, at most $4;
-- with what we know of each. Indexes: marketplace_order_created, then by order intent_order, line_incident's primary key and
-- effect_lane; asked by people.
SELECT r.order_id, r.created_at, r.line_id, r.sku, r.seen_at, r.accept_by, r.decided_at, r.accept_sent_at, r.choice,
    r.decision, r.verdict = 'lapsed' AS lapsed,
    CASE $3 WHEN 'acceptance_seconds' THEN r.acceptance_seconds WHEN 'late_percent' THEN r.late_seconds END AS seconds,
    p.shipped_at, p.told_at, p.number, p.carrier, p.tracking,
    CASE $3
        WHEN 'incident_percent' THEN ARRAY(
            SELECT coalesce(t.reason, '') FROM line_incident AS t
            WHERE t.scope = r.scope AND t.order_id = r.order_id AND t.line_id = r.line_id)
        ELSE ARRAY(
            SELECT DISTINCT g ->> 'reason' FROM jsonb_array_elements(r.taken) AS g
            WHERE (g ->> 'cancelation')::boolean = ($3 = 'cancelled_percent'))
    END AS reasons,
    (
        SELECT coalesce(i.reason, e.code || ' of ' || e.flow) FROM effect AS e
        LEFT JOIN intent AS i ON i.id = e.intent
        WHERE e.scope = r.scope AND e.lane = r.order_id AND e.state = 'applied'
            AND e.code = ANY (CASE $3 WHEN 'cancelled_percent' THEN ARRAY['OR29', 'OR30']
                WHEN 'refunded_percent' THEN ARRAY['OR28'] ELSE '{}'::text[] END)
        ORDER BY e.id DESC LIMIT 1
    ) AS ours
FROM rated_line AS r
LEFT JOIN LATERAL (
    SELECT (i.body ->> 'shipped_at')::timestamptz AS shipped_at, CASE WHEN i.state = 'done' THEN i.ended_at END AS told_at,
        i.body ->> 'number' AS number, i.body ->> 'carrier' AS carrier, i.told #>> '{parcel,tracking}' AS tracking
    FROM intent AS i
    WHERE i.scope = r.scope AND i.order_id = r.order_id AND i.kind = 'shipment'
    ORDER BY $3 = 'tracked_percent' AND i.told #>> '{parcel,tracking}' <> '' AND i.told #>> '{carrier,code}' <> '', i.id DESC
    LIMIT 1
) AS p ON $3 IN ('late_percent', 'tracked_percent')
WHERE r.scope = $1 AND r.created_at >= $2
    AND CASE $3
        WHEN 'acceptance_percent' THEN r.verdict <> 'accepted'
        WHEN 'acceptance_seconds' THEN r.acceptance_seconds IS NOT NULL
        WHEN 'lapsed_in_a_row' THEN r.place = 1 AND r.verdict = 'lapsed'
        WHEN 'late_percent' THEN r.late_seconds > 0
        WHEN 'tracked_percent' THEN NOT r.tracked
        WHEN 'cancelled_percent' THEN r.verdict = 'accepted' AND r.cancelled
        WHEN 'incident_percent' THEN r.verdict = 'accepted' AND r.troubled
        WHEN 'refunded_percent' THEN r.verdict = 'accepted' AND r.refunded
    END
ORDER BY CASE WHEN $3 = 'acceptance_seconds' THEN r.acceptance_seconds END DESC NULLS LAST, r.created_at DESC, r.line_id
LIMIT $4
