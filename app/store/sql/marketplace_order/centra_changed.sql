-- Centra changed the orders $1: those that are placed, and open at the marketplace ($2), are to be read back.
-- Index: marketplace_order_number.
UPDATE marketplace_order SET centra_changed_at = app_now()
WHERE centra_number = ANY ($1::bigint[]) AND completed_at IS NOT NULL AND state = ANY ($2::text[])
RETURNING scope, order_id
