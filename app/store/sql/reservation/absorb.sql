-- Sizes of these SKUs were read by a call that began at $3: what was placed before is in their free quantity now.
-- Index: reservation_open.
UPDATE reservation AS r SET absorbed = r.placed
WHERE r.scope = $1 AND r.sku = ANY ($2::text[]) AND r.absorbed < r.quantity AND r.absorbed < r.placed AND r.placed_at <= $3
RETURNING r.sku
