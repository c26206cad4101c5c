-- What a stock pass needs of each key: the offer, the size behind its SKU, with how many living sizes share it, and the
-- units promised to orders that its free quantity does not contain yet.
-- $1 channel, $2 source, $3 SKUs. Index: the primary keys, size_sku, reservation_open.
SELECT k.sku, o.sku IS NOT NULL AS listed, coalesce(o.live, false) AS live, o.stock_sent, o.stock_sent_version,
       o.stock_confirmed, o.stock_confirmed_version, o.stock_voided_version, o.stock_approved_version, o.live_read_at,
       o.stock_confirmed_apart, o.live_apart,
       s.size_id, s.read_at, s.free, s.stock_offset, s.active, s.preorder, s.deleted, coalesce(s.sharing, 0) AS sharing,
       coalesce(u.units, 0)::integer AS unplaced,
       EXISTS (SELECT FROM publication AS p
               WHERE p.scope = $1 AND p.kind = 'offers' AND p.key = k.sku
                 AND (p.state = 'gone' OR p.state = 'held' AND p.body ? 'deleted')) AS "left"
FROM unnest($3::text[]) AS k (sku)
LEFT JOIN LATERAL (SELECT * FROM offer AS f WHERE f.scope = $1 AND f.sku = k.sku LIMIT 1) AS o ON true
LEFT JOIN LATERAL (
    SELECT z.size_id, z.read_at, z.free, z.stock_offset, z.active, z.preorder, z.deleted,
           count(*) FILTER (WHERE NOT z.deleted) OVER () AS sharing
    FROM size AS z
    WHERE z.scope = $2 AND z.sku = k.sku
    ORDER BY z.deleted, z.size_id
    LIMIT 1
) AS s ON true
LEFT JOIN LATERAL (
    SELECT sum(r.quantity - r.absorbed) AS units FROM reservation AS r
    WHERE r.scope = $2 AND r.sku = k.sku AND r.absorbed < r.quantity
) AS u ON true
