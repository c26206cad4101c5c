-- The Centra number of an order, once: no row when it has one, when the claim $4 of its lane is lost (rule 12), or when
-- the number is noted as an orphan of the source $5, which is being cancelled. Index: the primary keys.
UPDATE marketplace_order AS o SET centra_number = $3, created_in_centra_at = app_now()
WHERE o.scope = $1 AND o.order_id = $2 AND o.centra_number IS NULL
    AND EXISTS (SELECT FROM lane AS l WHERE l.scope = $1 AND l.lane = $2 AND l.claim = $4)
    AND NOT EXISTS (SELECT FROM centra_order AS c WHERE c.scope = $5 AND c.number = $3)
RETURNING o.order_id
