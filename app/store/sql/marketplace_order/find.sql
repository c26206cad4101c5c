-- Orders that a person may mean: by Mirakl's id, the commercial id or the Centra number; never by a part of an id.
-- Index: the primary key, marketplace_order_commercial, marketplace_order_number.
SELECT scope, order_id FROM marketplace_order
WHERE (scope = ANY ($1::text[]) AND order_id = $2) OR (scope = ANY ($1::text[]) AND commercial_id = $2)
    OR centra_number = $3
ORDER BY scope, order_id
