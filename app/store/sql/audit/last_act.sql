-- The last thing that somebody but the service ($5) did about one part of a subject. Index: audit_subject of each partition.
SELECT at, actor, to_state, detail FROM audit
WHERE scope = $1 AND subject = $2 AND (from_state = $3 OR to_state = $4) AND actor <> ALL ($5::text[])
ORDER BY at DESC, id DESC LIMIT 1
