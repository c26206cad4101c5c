-- Erase a buyer and leave a tombstone, so that a later event brings nothing back. Index: the primary keys.
INSERT INTO buyer AS b (scope, order_id, body, email_hash, seen_at, erased_at, centra_customer)
SELECT $1, $2, NULL, NULL, app_now(), app_now(),
       (SELECT o.centra_customer FROM marketplace_order AS o WHERE o.scope = $1 AND o.order_id = $2)
ON CONFLICT (scope, order_id) DO UPDATE SET body = NULL, email_hash = NULL,
    erased_at = coalesce(b.erased_at, excluded.erased_at), centra_customer = excluded.centra_customer
RETURNING centra_customer
