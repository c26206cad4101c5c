-- Units of other orders promised before each SKU of an order: reserved earlier and not allocated in Centra as far as we
-- read, and to whom. Numbers are given out under a lock for each SKU, so their order is the order of the commits.
-- Index: reservation_channel_order_id_line_id_key, reservation_open.
SELECT m.sku, coalesce(sum(r.quantity - r.placed), 0)::integer AS before,
       coalesce(array_agg(DISTINCT r.channel || '/' || r.order_id) FILTER (WHERE r.order_id IS NOT NULL), '{}') AS others
FROM (SELECT sku, min(id) AS id FROM reservation WHERE channel = $1 AND order_id = $2 GROUP BY sku) AS m
LEFT JOIN reservation AS r ON r.scope = $3 AND r.sku = m.sku AND r.absorbed < r.quantity AND r.placed < r.quantity
    AND r.id < m.id AND NOT (r.channel = $1 AND r.order_id = $2)
GROUP BY m.sku
