-- How these keys stand now, and why. A state that stays keeps its time. Index: the primary key.
UPDATE publication AS p SET
    since = CASE WHEN p.state = s.state THEN p.since ELSE app_now() END, state = s.state, reasons = s.reasons
FROM (SELECT $1::text AS scope, $2::text AS kind, t.key, t.state, t.reasons
      FROM unnest($3::text[], $4::text[], $5::jsonb[]) AS t (key, state, reasons) OFFSET 0) AS s
WHERE p.scope = ANY (ARRAY[s.scope]) AND p.kind = s.kind AND p.key = s.key
RETURNING p.key
