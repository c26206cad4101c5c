-- Clean keys of the flow that follows imports, once their imports ended over $1 days ago.
DELETE FROM outbox AS o
USING import AS i
WHERE o.flow = 'imports' AND o.due_at IS NULL AND o.state = 'ready' AND o.claim IS NULL
  AND i.id = o.key::bigint AND i.finished_at < app_now() - $1::integer * interval '1 day'
  AND i.state IN ('done', 'failed', 'lost', 'refused', 'not_sent', 'repeated')
