-- How many bytes this database takes on disk. Asks the file system, once a minute.
SELECT pg_database_size(current_database())
