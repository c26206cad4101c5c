-- Of these keys what was sent and confirmed before $4, with nothing newer on its way, beside what is live.
-- Index: the primary keys.
SELECT p.kind, p.key, p.state, p.reasons, p.sent_body, l.facts
FROM unnest($2::text[]) AS k (kind)
CROSS JOIN unnest($3::text[]) AS t (key)
JOIN publication AS p ON p.scope = $1 AND p.kind = k.kind AND p.key = t.key
LEFT JOIN offer AS o ON o.scope = p.scope AND o.sku = p.key AND o.live
LEFT JOIN live_offer AS l ON l.scope = o.scope AND l.sku = o.sku
WHERE p.state IN ('live', 'differs', 'pending') AND p.sent = p.confirmed AND p.sent_body IS NOT NULL
  AND p.sent_version <= p.confirmed_version AND p.confirmed_version > p.voided_version AND p.confirmed_at < $4
