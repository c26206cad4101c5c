-- A person had dead facts read again. Index: inbox_dead.
UPDATE inbox SET state = 'stored', reason = NULL WHERE scope = $1 AND state = 'dead' RETURNING kind, reference
