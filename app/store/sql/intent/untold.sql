-- Parcels that left Centra's warehouse and are not confirmed at the marketplace, held ones too, by channel, and since when.
-- Index: intent_left; runs every few seconds, never on the hot path.
SELECT scope, count(*) AS parcels, min(coalesce((body ->> 'shipped_at')::timestamptz, noted_at)) AS since
FROM intent
WHERE kind = 'shipment' AND state <> 'done' AND body ->> 'complete' = 'true'
GROUP BY scope
