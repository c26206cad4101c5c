-- The partitions of the audit that are there, by name.
SELECT c.relname AS name
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'audit'::regclass AND c.relname <> 'audit_rest'
ORDER BY c.relname
