-- Orders whose flows are to be marked now: those named, or (NULL) all that changed. Index: marketplace_order_unmarked.
UPDATE marketplace_order AS o SET unmarked = false
WHERE o.scope = $1 AND o.unmarked AND ($2::text[] IS NULL OR o.order_id = ANY ($2::text[]))
RETURNING o.order_id, o.state, o.created_at, o.accept_by
