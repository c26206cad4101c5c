-- Of these keys what was sent and confirmed before $4, with nothing newer on its way, beside what is live.
-- Index: the primary keys.
SELECT p.kind, p.key, p.state, p.reasons, p.sent_body, l.facts
FROM unnest($2::text[]) AS k (kind)
CROSS JOIN unnest($3::text[]) AS t (key)
JOIN publication AS p ON p.scope = $1 AND p.kind = k.kind AND p.key = t.key
LEFT JOIN live_offer AS l ON l.scope = p.scope AND l.sku = p.key
WHERE p.state IN ('live', 'differs', 'pending') AND p.sent = p.confirmed AND p.sent_body IS NOT NULL
  AND p.sent_version <= p.confirmed_version AND p.confirmed_version > p.voided_version AND p.confirmed_at < $4
