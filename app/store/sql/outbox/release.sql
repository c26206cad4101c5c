-- A person lets held keys go: ready, due now, counters 0. Index: outbox_held.
UPDATE outbox SET
    state = 'ready', firm = false, due_at = app_now(), dirty_since = coalesce(dirty_since, app_now()),
    not_before = '-infinity', attempts = 0, lost = 0, lost_alone = 0, held_at = NULL, reason = NULL
WHERE scope = $1 AND flow = $2 AND state = 'held' AND ($3::text[] IS NULL OR key = ANY ($3))
RETURNING key
