-- Orders whose buyer had an e-mail address, by its keyed hash. Index: buyer_email.
SELECT scope, order_id FROM buyer WHERE email_hash = $1
