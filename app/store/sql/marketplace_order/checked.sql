-- The Centra order as read back, and what is wrong with it. Index: the primary key.
UPDATE marketplace_order SET checked_at = app_now(), centra_id = $3, centra_customer = $4, centra_facts = $5::jsonb,
    problem = $6, problem_team = $7
WHERE scope = $1 AND order_id = $2
