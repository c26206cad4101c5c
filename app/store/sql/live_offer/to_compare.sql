-- Of these keys what was sent and confirmed before $4, with nothing newer on its way, beside what is live.
-- Index: the primary keys.
SELECT k.kind, t.key, p.state, p.reasons, p.sent_body, l.facts
FROM unnest($2::text[]) AS k (kind)
CROSS JOIN unnest($3::text[]) AS t (key)
CROSS JOIN LATERAL (
    SELECT q.state, q.reasons, q.sent_body FROM publication AS q
    WHERE q.scope = $1 AND q.kind = k.kind AND q.key = t.key
      AND q.state IN ('live', 'differs', 'pending') AND q.sent = q.confirmed AND q.sent_body IS NOT NULL
      AND q.sent_version <= q.confirmed_version AND q.confirmed_version > q.voided_version AND q.confirmed_at < $4
    LIMIT 1
) AS p
LEFT JOIN LATERAL (
    SELECT s.facts FROM live_offer AS s
    WHERE s.scope = $1 AND s.sku = t.key
      AND EXISTS (SELECT 1 FROM offer AS o WHERE o.scope = s.scope AND o.sku = s.sku AND o.live)
    LIMIT 1
) AS l ON true
