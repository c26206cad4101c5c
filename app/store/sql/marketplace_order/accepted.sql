-- Mirakl has a decision, ours or another's ($3). Index: the primary key.
UPDATE marketplace_order SET accepted_at = app_now(), accepted_by = $3
WHERE scope = $1 AND order_id = $2 AND accepted_at IS NULL
RETURNING seen_at, created_at, accept_by, accepted_at
