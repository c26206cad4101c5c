-- Differences that are not gone, of a channel ($1) and kind ($2) or (NULL) of all, after id $3, for people.
-- Index: parity_difference_id_key.
SELECT id, scope, kind, key, member, ours, theirs, cause, words, team, deed, tries, first_seen_at, last_seen_at, held_at
FROM parity_difference
WHERE id > $3 AND gone_at IS NULL AND ($1::text IS NULL OR scope = $1) AND ($2::text IS NULL OR kind = $2)
ORDER BY id LIMIT $4
