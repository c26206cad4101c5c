-- How far the money of orders came that were settled over $1 days ago.
DELETE FROM order_settlement WHERE settled_at < app_now() - $1::integer * interval '1 day'
