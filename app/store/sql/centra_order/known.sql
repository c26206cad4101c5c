-- Which of some numbers are orphans. Index: the primary key.
SELECT number FROM centra_order WHERE scope = $1 AND number = ANY ($2::bigint[]) AND role = 'orphan'
