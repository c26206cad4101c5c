-- One return, kept as it is until the transaction ends. Index: the primary key.
SELECT order_id, held_at FROM marketplace_return WHERE scope = $1 AND return_id = $2 FOR UPDATE
