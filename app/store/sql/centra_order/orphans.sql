-- Orphans that still stand in Centra. Index: the primary key.
SELECT number, channel, order_id, noted_at FROM centra_order WHERE scope = $1 AND role = 'orphan' AND cancelled_at IS NULL
ORDER BY number
