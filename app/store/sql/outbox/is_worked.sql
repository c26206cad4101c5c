-- Whether a worker has a key; nobody takes it until the transaction ends. Index: the primary key.
SELECT claim IS NOT NULL AND lease_until >= clock_timestamp() AS worked FROM outbox
WHERE scope = $1 AND flow = $2 AND key = $3 FOR UPDATE
