-- How many offers the marketplace lists. Index: the primary key.
SELECT count(*) FROM offer WHERE scope = $1 AND live
