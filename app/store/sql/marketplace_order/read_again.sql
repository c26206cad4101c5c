-- Orders that a call begun at $3 told unchanged. Index: the primary key.
UPDATE marketplace_order SET read_at = greatest(read_at, $3) WHERE scope = $1 AND order_id = ANY ($2::text[])
