-- The Centra order as read back, and what is wrong with it; a problem that a person settled meanwhile stays settled.
-- Index: the primary key.
UPDATE marketplace_order SET checked_at = app_now(), centra_id = $3, centra_customer = $4, centra_facts = $5::jsonb,
    problem = CASE WHEN problem IS NOT DISTINCT FROM $8 THEN $6 ELSE problem END,
    problem_team = CASE WHEN problem IS NOT DISTINCT FROM $8 THEN $7 ELSE problem_team END
WHERE scope = $1 AND order_id = $2
