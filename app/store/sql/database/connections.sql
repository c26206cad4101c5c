-- Clients' connections to this database by state; what another role's does is not shown to everybody. No table is read.
SELECT coalesce(state, 'not shown') AS state, count(*) AS connections
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
GROUP BY 1
