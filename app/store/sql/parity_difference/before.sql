-- What is known of differences ($3 keys, $4 members) of a kind that are not gone. What is gone is left out last, else the
-- planner takes the index of open ones. Index: the primary key.
SELECT d.key, d.member, d.ours, d.theirs, d.tries, d.mended_at, d.deed
FROM unnest($3::text[], $4::text[]) AS k (key, member)
CROSS JOIN LATERAL (SELECT * FROM parity_difference AS f
                    WHERE f.scope = $1 AND f.kind = $2 AND f.key = k.key AND f.member = k.member LIMIT 1) AS d
WHERE d.gone_at IS NULL
