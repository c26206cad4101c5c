-- An order as a call that began at $11 told it. A call that began before the one stored changes nothing and gives no row.
-- Index: the primary key.
INSERT INTO marketplace_order AS o (scope, order_id, commercial_id, state, fulfilled_by, created_at, updated_at, ship_by,
                                    accept_by, facts, seen_at, read_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, app_now(), $11)
ON CONFLICT (scope, order_id) DO UPDATE SET
    state = excluded.state, fulfilled_by = excluded.fulfilled_by, updated_at = excluded.updated_at,
    ship_by = excluded.ship_by, facts = excluded.facts, read_at = excluded.read_at,
    unmarked = o.unmarked OR o.facts <> excluded.facts
WHERE o.updated_at < excluded.updated_at
    OR (o.updated_at = excluded.updated_at AND o.read_at <= excluded.read_at)
RETURNING (xmax = 0) AS is_new, unmarked
