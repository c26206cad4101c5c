-- Sizes that a complete walk begun at $2 did not meet; they are then read one by one, since pages shift.
SELECT size_id FROM size WHERE scope = $1 AND read_at < $2 AND NOT deleted
