-- How these keys stand now, and why. A state that stays keeps its time. What is held stays so: that is ours to mend.
-- What was let go and is rejected is to be let go anew. Index: the primary key.
UPDATE publication AS p SET
    known = CASE s.state WHEN 'live' THEN true WHEN 'rejected' THEN p.kind <> 'products' AND p.known ELSE p.known END,
    since = CASE WHEN p.state IN (s.state, 'held') THEN p.since ELSE app_now() END,
    state = CASE WHEN p.state = 'held' THEN p.state ELSE s.state END,
    reasons = CASE WHEN p.state = 'held' THEN p.reasons ELSE s.reasons END,
    approved = CASE WHEN s.state = 'rejected' THEN NULL ELSE p.approved END
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key, t.state, t.reasons
      FROM unnest($3::text[], $4::text[], $5::jsonb[]) AS t (key, state, reasons) OFFSET 0) AS s
WHERE p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
RETURNING p.key
