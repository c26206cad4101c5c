-- Orders with something of a kind that is not done. Index: intent_left.
SELECT DISTINCT order_id FROM intent WHERE scope = $1 AND kind = $2 AND state <> 'done'
