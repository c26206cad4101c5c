-- Write a call down as sent, before its first byte leaves. A doubt that is still open in the lane refuses the insert.
INSERT INTO effect (scope, flow, code, class, lane, key, doubt, state, planned_at, sent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'sent', app_now(), app_now())
RETURNING id
