-- When the oldest cycle began that is not paid, and the newest of all. Indexes: billing_cycle_unpaid, billing_cycle_created.
SELECT (SELECT min(created_at) FROM billing_cycle WHERE scope = $1 AND state <> 'PAID') AS unpaid,
    (SELECT max(created_at) FROM billing_cycle WHERE scope = $1) AS newest
