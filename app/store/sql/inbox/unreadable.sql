-- Facts of a source that could not be read, and that no line of the log tells by now. Indexes: inbox_dead, the line's key.
SELECT i.identity, i.reference, i.reason, i.received_at FROM inbox AS i
WHERE i.scope = $1 AND i.source = $2 AND i.state = 'dead'
    AND NOT EXISTS (SELECT FROM transaction_line AS l WHERE l.scope = i.scope AND l.transaction_id = i.reference)
ORDER BY i.received_at LIMIT $3
