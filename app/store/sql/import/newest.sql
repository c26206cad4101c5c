-- The highest number of an import so far. Index: the primary key.
SELECT max(id) FROM import
