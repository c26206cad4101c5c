-- The report of an import could not be read once more. Index: the primary key.
UPDATE import SET report_reads = report_reads + 1 WHERE id = $1 RETURNING report_reads
