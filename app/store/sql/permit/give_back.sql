-- Hand back a grant that was not used, if it is still the last of its bucket. Index: the primary key.
UPDATE permit AS p SET tokens = least(p.capacity, p.tokens + p.last_cost), grants = p.grants + 1, last_cost = 0
FROM unnest($2::text[], $3::bigint[]) AS g (name, granted)
WHERE p.scope = $1 AND p.name = g.name AND p.grants = g.granted
