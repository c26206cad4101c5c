-- Held parcels by what Centra calls their carrier, the oldest first. Index: intent_left.
SELECT scope, coalesce(body ->> 'carrier', '') AS carrier, coalesce(body ->> 'service', '') AS service, count(*) AS parcels,
    min(held_at) AS oldest_at
FROM intent
WHERE kind = 'shipment' AND state = 'held' AND advice = $2 AND ($1::text IS NULL OR scope = $1)
GROUP BY 1, 2, 3 ORDER BY min(held_at)
