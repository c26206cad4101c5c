-- What a plan would send: kind, key and digest, in order.
INSERT INTO plan_line (plan, kind, key, digest)
SELECT $1, t.kind, t.key, t.digest FROM unnest($2::text[], $3::text[], $4::text[]) AS t (kind, key, digest)
ON CONFLICT (plan, kind, key) DO NOTHING
