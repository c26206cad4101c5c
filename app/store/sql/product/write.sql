-- Products as a call that began at $5 told them ($2 in order); what a later call told is left alone. Gives those whose
-- facts became other ones. Index: the primary key.
WITH told AS (
    INSERT INTO product AS p (scope, product_id, facts, digest, read_at, changed_at)
    SELECT $1, t.product_id, t.facts, t.digest, $5, app_now()
    FROM unnest($2::bigint[], $3::jsonb[], $4::text[]) AS t (product_id, facts, digest)
    ON CONFLICT (scope, product_id) DO UPDATE SET
        facts = excluded.facts, read_at = excluded.read_at, gone_at = NULL,
        changed_at = CASE WHEN p.digest = excluded.digest AND p.gone_at IS NULL THEN p.changed_at ELSE app_now() END,
        digest = excluded.digest
    WHERE p.read_at <= excluded.read_at
    RETURNING product_id, changed_at = app_now() AS changed
)
SELECT product_id FROM told WHERE changed
