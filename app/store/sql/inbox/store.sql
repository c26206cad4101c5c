-- Facts, once each. Index: the primary key.
INSERT INTO inbox (scope, source, identity, kind, reference, body, state, reason, received_at)
SELECT $1, $2, f.identity, f.kind, f.reference, f.body::jsonb, f.state, f.reason, app_now()
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
     AS f (identity, kind, reference, body, state, reason)
ON CONFLICT (scope, source, identity) DO NOTHING
