-- How many pay-outs there are of each state, for metrics; a channel has some dozens of cycles a year.
SELECT scope, state, count(*) AS cycles FROM billing_cycle GROUP BY scope, state
