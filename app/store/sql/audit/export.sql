-- The audit from $3 until before $4, oldest first, for export: of a scope, of some subjects, of some flows and of what
-- people did about their subjects. Index: audit_subject where subjects are named, else the key of each partition.
SELECT at, scope, actor, subject, from_state, to_state, detail FROM audit
WHERE ($1::text IS NULL OR scope = $1) AND ($2::text[] IS NULL OR subject = ANY ($2))
    AND ($3::timestamptz IS NULL OR at >= $3) AND ($4::timestamptz IS NULL OR at < $4)
    AND ($5::text[] IS NULL OR actor = ANY ($5) OR split_part(subject, ':', 1) = ANY ($5)
        OR split_part(from_state, ' ', 1) || 's' = ANY ($5))
ORDER BY at, id
