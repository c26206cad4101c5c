-- Differences of a kind as a run that began at $12 saw them, and what is done about each. What was gone is new.
-- Index: the primary key.
INSERT INTO parity_difference AS d (scope, kind, key, member, ours, theirs, cause, words, team, deed, tries, mended_at,
                                    held_at, first_seen_at, last_seen_at)
SELECT $1, $2, f.key, f.member, f.ours, f.theirs, f.cause, f.words, $3, f.deed, (f.deed = 'mended')::integer,
       CASE WHEN f.deed = 'mended' THEN $11::timestamptz END, CASE WHEN f.deed = 'held' THEN app_now() END, $12, $12
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
     AS f (key, member, ours, theirs, cause, words, deed)
ORDER BY f.key, f.member
ON CONFLICT (scope, kind, key, member) DO UPDATE SET
    ours = excluded.ours, theirs = excluded.theirs, cause = excluded.cause, words = excluded.words, deed = excluded.deed,
    tries = CASE WHEN d.gone_at IS NULL THEN d.tries ELSE 0 END + excluded.tries,
    mended_at = coalesce(excluded.mended_at, CASE WHEN d.gone_at IS NULL THEN d.mended_at END),
    held_at = CASE WHEN excluded.held_at IS NOT NULL AND d.gone_at IS NULL THEN coalesce(d.held_at, excluded.held_at)
                   ELSE excluded.held_at END,
    first_seen_at = CASE WHEN d.gone_at IS NULL THEN d.first_seen_at ELSE excluded.first_seen_at END,
    last_seen_at = greatest(d.last_seen_at, excluded.last_seen_at), gone_at = NULL
