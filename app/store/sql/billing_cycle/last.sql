-- When the last cycle began. Index: billing_cycle_created.
SELECT max(created_at) FROM billing_cycle WHERE scope = $1
