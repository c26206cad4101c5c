-- How many rows each table holds, and how many dead ones wait for vacuum, as Postgres estimates; a partitioned table is one.
-- No table is read.
SELECT coalesce(pg_partition_root(relid), relid::regclass)::text AS name, sum(n_live_tup)::bigint AS live,
    sum(n_dead_tup)::bigint AS dead
FROM pg_stat_user_tables
WHERE schemaname = current_schema()
GROUP BY 1
