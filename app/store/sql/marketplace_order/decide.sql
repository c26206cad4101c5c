-- Write down which lines are accepted (NULL: decided anew); what was entered before is checked against it once more.
-- Index: the primary key.
UPDATE marketplace_order SET decision = $3::jsonb, decided_at = app_now(), checked_at = NULL
WHERE scope = $1 AND order_id = $2
