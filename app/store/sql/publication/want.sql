-- What a pass decided for each key ($3 in order): the state it is in now, and what is wanted, where that is known.
-- A state that stays keeps its time. Index: the primary key.
INSERT INTO publication AS p (scope, kind, key, state, known, since, reasons, body, wanted)
SELECT $1, $2, w.key, w.state, w.state = 'live', app_now(), w.reasons, w.body, w.wanted
FROM unnest($3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::text[]) AS w (key, state, reasons, body, wanted)
ON CONFLICT (scope, kind, key) DO UPDATE SET
    since = CASE WHEN p.state = excluded.state THEN p.since ELSE excluded.since END,
    state = excluded.state, known = p.known OR excluded.known, reasons = excluded.reasons,
    body = coalesce(excluded.body, p.body), wanted = coalesce(excluded.wanted, p.wanted)
