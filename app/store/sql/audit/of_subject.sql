-- Every step of a subject, oldest first. Index: audit_subject of each partition.
SELECT at, actor, from_state, to_state, detail FROM audit WHERE scope = $1 AND subject = $2 ORDER BY at, id
