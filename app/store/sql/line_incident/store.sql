-- Lines of an order that have an incident now; one that is known stays as it was told first. Index: the primary key.
INSERT INTO line_incident (scope, order_id, line_id, reason, opened_at)
SELECT $1, $2, told.line_id, told.reason, $5 FROM unnest($3::text[], $4::text[]) AS told (line_id, reason)
ON CONFLICT (scope, order_id, line_id) DO NOTHING
