-- Since when lines are sent and not confirmed, for each channel and kind. Index: import_in_flight.
SELECT scope, kind, min(dirty_since) AS since FROM import WHERE state IN ('sent', 'running') GROUP BY scope, kind
