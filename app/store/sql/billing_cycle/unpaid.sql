-- Cycles that are not paid. Index: billing_cycle_unpaid.
SELECT cycle_id FROM billing_cycle WHERE scope = $1 AND state <> 'PAID'
