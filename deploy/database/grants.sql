-- What the service and the people who look may do with each table, by name. After each `centra-mirakl migrate`, as
-- centra_mirakl_owner or a superuser; bears repetition. A test sees to it that no table is forgotten.

-- The work: rows are permanent, so nothing of it is deleted. Retention runs as centra_mirakl_migrate.
GRANT SELECT, INSERT, UPDATE ON outbox, lane, offer, import, permit, size, display_item, mirror, cursor, inbox,
    marketplace_order, buyer, reservation, centra_order, offer_price, intent, carrier_map, marketplace_return, thread, product,
    product_sku, product_code, publication, live_offer, plan, plan_line, seller_rating, parity_difference, parity_run,
    transaction_line, billing_cycle, accounting_document, order_settlement, settlement_difference TO centra_mirakl_run;
GRANT SELECT, INSERT ON import_line, line_incident, thread_reply TO centra_mirakl_run;
GRANT SELECT, INSERT, DELETE ON webhook_seen TO centra_mirakl_run;
-- A person takes a row out; the audit keeps it.
GRANT DELETE ON carrier_map TO centra_mirakl_run;
GRANT USAGE ON SEQUENCE claim_number TO centra_mirakl_run;

-- The ledger changes state and loses nothing; its history is written once.
GRANT SELECT, INSERT, UPDATE ON effect TO centra_mirakl_run;
GRANT SELECT, INSERT ON audit TO centra_mirakl_run;

-- Read only: the schema's history for readiness, the clock, which only sandboxes set, and the views of what needs a person and
-- of order lines as operators rate them.
GRANT SELECT ON schema_migration, app_clock, held, rated_line TO centra_mirakl_run;

GRANT SELECT ON outbox, lane, offer, import, import_line, permit, size, display_item, mirror, cursor, inbox, effect, audit,
    marketplace_order, reservation, centra_order, offer_price, intent, carrier_map, marketplace_return, thread, product,
    product_sku, product_code, publication, live_offer, plan, plan_line, seller_rating, parity_difference, parity_run, line_incident, thread_reply, rated_line,
    transaction_line, billing_cycle, accounting_document, order_settlement, settlement_difference,
    schema_migration, app_clock, held TO centra_mirakl_read;
