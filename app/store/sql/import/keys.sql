-- The lines of an import. Index: the primary key.
SELECT key, version, value, dirty_since, digest FROM import_line WHERE import_id = $1 ORDER BY key COLLATE "C"
