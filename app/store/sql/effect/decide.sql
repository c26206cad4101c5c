-- Write down how a call ended. Also for a claim lost meanwhile: it is about the call, not about the key.
UPDATE effect SET state = $2, detail = $3, decided_at = app_now()
WHERE id = $1 AND state IN ('sent', 'unknown')
RETURNING scope, flow
