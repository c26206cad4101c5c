-- SKUs whose increase waits for a pass over the orders (business rule 3). Index: outbox_due.
SELECT key FROM outbox
WHERE scope = $1 AND flow = 'stock' AND due_at > app_now() AND state = 'waiting'
