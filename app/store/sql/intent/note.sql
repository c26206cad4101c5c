-- A discrete fact, once by its source. Told again with another body it is a newer version and open again; an older read
-- changes nothing. Gives what changed. Index: intent_scope_kind_source_id_key.
INSERT INTO intent AS i (scope, kind, source_id, order_id, body, read_at, amount, currency, noted_at, changed_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7, $8, app_now(), app_now())
ON CONFLICT (scope, kind, source_id) DO UPDATE SET
    body = excluded.body, version = i.version + 1, read_at = excluded.read_at, amount = excluded.amount,
    state = 'open', approved_by = NULL, held_at = NULL, ended_at = NULL, changed_at = app_now()
WHERE i.body <> excluded.body AND i.read_at <= excluded.read_at
RETURNING id, version
