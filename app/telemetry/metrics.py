"""Every metric, declared once: name, help, unit and labels. Labels are scope, flow, code, team: never an id.

Counters are this process's own and add up over replicas. Gauges marked *database* are read from the shared tables
and exported by every replica alike: rules take `max without (instance, pod)` of them.
"""

from __future__ import annotations

from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, that nobody asks for
registry = CollectorRegistry(auto_describe=True)

_gauge = partial(Gauge, registry=registry)
_counter = partial(Counter, registry=registry)
_histogram = partial(Histogram, registry=registry)
_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1800, 3600)

# --------------------------------------------------------------- the process: process_*, python_info, its event loop
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
loop_delay_seconds = _histogram(
    "centra_mirakl_loop_delay_seconds",
    "How much later than asked for the event loop turns to a task that slept, in real seconds.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

# --------------------------------------------------------------- the database itself, database gauges
database_bytes = _gauge("centra_mirakl_database_bytes", "Size of this database on disk (database).")
database_connections = _gauge(
    "centra_mirakl_database_connections", "Clients' connections to this database (database).", ["state"]
)
table_rows = _gauge("centra_mirakl_table_rows", "Rows of a table, estimated (database).", ["table"])
table_dead_rows = _gauge(
    "centra_mirakl_table_dead_rows", "Dead rows of a table that wait for vacuum, estimated (database).", ["table"]
)

# --------------------------------------------------------------- the outbox, database gauges
lag_seconds = _gauge(
    "centra_mirakl_lag_seconds",
    "Age of the oldest due key, or of the oldest line sent and not confirmed (database).",
    ["scope", "flow"],
)
due_keys = _gauge("centra_mirakl_due_keys", "Keys due now (database).", ["scope", "flow"])
waiting_keys = _gauge("centra_mirakl_waiting_keys", "Keys due at a later time (database).", ["scope", "flow"])
held_keys = _gauge("centra_mirakl_held_keys", "Keys held for a person (database).", ["scope", "flow", "team"])
held_oldest_seconds = _gauge(
    "centra_mirakl_held_oldest_seconds", "Age of the oldest held key (database).", ["scope", "flow"]
)
held_items = _gauge(
    "centra_mirakl_held_items",
    "What needs a person, each thing once, by its owner and what to do about it; `key`: see its flow (database).",
    ["scope", "flow", "team", "advice"],
)
held_items_oldest_seconds = _gauge(
    "centra_mirakl_held_items_oldest_seconds",
    "For how long the oldest of what needs a person has waited (database).",
    ["scope", "flow", "team"],
)
publication_keys = _gauge(
    "centra_mirakl_publication_keys",
    "SKUs by how their product, offer or prices stand at the marketplace (database).",
    ["scope", "kind", "state"],
)
publication_oldest_seconds = _gauge(
    "centra_mirakl_publication_oldest_seconds",
    "Since when the longest of them stands so, such as waiting for the operator (database).",
    ["scope", "kind", "state"],
)
publication_reason_keys = _gauge(
    "centra_mirakl_publication_reason_keys",
    "SKUs that are held or rejected by the first reason, the most frequent of each channel and kind (database).",
    ["scope", "kind", "state", "reason"],
)
mirror_age_seconds = _gauge(
    "centra_mirakl_mirror_age_seconds",
    "Age of what we go by: copies of what a platform says, by code; live offers, products, plan (database).",
    ["scope", "mirror"],
)
held_money = _gauge(
    "centra_mirakl_held_money",
    "Money at stake in what needs a person, in the currency's major unit (database).",
    ["scope", "flow", "team", "currency"],
)
settlement_differences = _gauge(
    "centra_mirakl_settlement_differences",
    "Differences of money between what the marketplace says and what is expected, by kind and state (database).",
    ["scope", "kind", "state"],
)
settlement_at_stake_minor = _gauge(
    "centra_mirakl_settlement_at_stake_minor",
    "Money in differences that nobody has accepted, in the currency's minor unit (database).",
    ["scope", "currency"],
)
payouts = _gauge(
    "centra_mirakl_payouts",
    "Billing cycles by the state of their pay-out, the marketplace's word (database).",
    ["scope", "state"],
)
unpaid_orders = _gauge(
    "centra_mirakl_unpaid_orders", "Orders that were sent and are in no billing cycle (database).", ["scope"]
)
unpaid_orders_oldest_seconds = _gauge(
    "centra_mirakl_unpaid_orders_oldest_seconds", "For how long the oldest of them has been (database).", ["scope"]
)
settlement_read_age_seconds = _gauge(
    "centra_mirakl_settlement_read_age_seconds",
    "Since when the transaction log was not read to its end (database).",
    ["scope"],
)
dead_letters = _gauge(
    "centra_mirakl_dead_letters", "Facts that could not be read, kept for a person (database).", ["scope"]
)
budget_used_ratio = _gauge(
    "centra_mirakl_budget_used_ratio",
    "Used share of a call allowance, by API code or bucket (database).",
    ["scope", "code"],
)
allowance_left = _gauge(
    "centra_mirakl_allowance_left", "What Centra says is left of a rate limit, used by whomever.", ["scope", "bucket"]
)
shop_open = _gauge("centra_mirakl_shop_open", "1 while the marketplace says that our shop is open.", ["scope"])
last_success_seconds = _gauge(
    "centra_mirakl_last_success_timestamp_seconds",
    "When a flow last finished a pass here, as Unix time of the app clock.",
    ["scope", "flow"],
)
credential_expires_timestamp_seconds = _gauge(
    "centra_mirakl_credential_expires_timestamp_seconds",
    "When a credential ends, as Unix time: `token` and `finance token` as set in the channel file (token_expires_on),"
    " `certificate` as the platform showed it last.",
    ["scope", "kind"],
)
scope_paused = _gauge(
    "centra_mirakl_scope_paused", "1 while a scope waits for its credentials to be mended.", ["scope"]
)
ready = _gauge("centra_mirakl_ready", "1 while this replica works, 0 while it waits for Postgres.")

# --------------------------------------------------------------- work
keys_settled = _counter("centra_mirakl_keys_settled", "Keys worked, by how they ended.", ["scope", "flow", "verdict"])
claims_lost = _counter("centra_mirakl_claims_lost", "Claims that another replica had taken over.", ["scope", "flow"])
passes_failed = _counter("centra_mirakl_passes_failed", "Passes that ended in an error.", ["scope", "flow"])
change_to_confirmed_seconds = _histogram(
    "centra_mirakl_change_to_confirmed_seconds",
    "From the change in Centra to the import report that confirms it, in app seconds.",
    ["scope", "flow"],
    buckets=_SECONDS,
)

# --------------------------------------------------------------- calls
calls = _counter("centra_mirakl_calls", "Calls by API code and outcome.", ["scope", "code", "outcome"])
call_seconds = _histogram(
    "centra_mirakl_call_seconds",
    "Duration of a call, in real seconds.",
    ["scope", "code"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
effects = _counter("centra_mirakl_effects", "Outside writes by outcome.", ["scope", "flow", "code", "outcome"])
doubtful_effects = _gauge(
    "centra_mirakl_doubtful_effects",
    "Outside writes whose outcome is unknown and not decided yet (database).",
    ["scope", "flow"],
)
doubtful_effects_oldest_seconds = _gauge(
    "centra_mirakl_doubtful_effects_oldest_seconds",
    "For how long the oldest outside write has been in doubt (database).",
    ["scope", "flow"],
)
permit_waits = _counter("centra_mirakl_permit_waits", "Calls that had to wait for a permit.", ["scope", "code"])

# --------------------------------------------------------------- imports and stock
import_lines = _counter("centra_mirakl_import_lines", "Import lines by result.", ["scope", "kind", "result"])
imports_ended = _counter("centra_mirakl_imports_ended", "Imports by their end.", ["scope", "kind", "end"])
import_size_lines = _histogram(
    "centra_mirakl_import_size_lines",
    "Lines of an import.",
    ["scope", "kind"],
    buckets=(1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000),
)
stale_corrected = _counter(
    "centra_mirakl_stale_values_corrected",
    "Values found different at the marketplace and marked to be pushed again.",
    ["scope", "flow"],
)
stock_differences = _gauge(
    "centra_mirakl_stock_differences",
    "Offers whose live quantity, as last read back, is not what was confirmed (database).",
    ["scope"],
)
parity_share = _gauge(
    "centra_mirakl_parity_share",
    "The share that agrees of what the last whole comparison compared, 0 to 1 (database).",
    ["scope", "kind"],
)
parity_differences = _gauge(
    "centra_mirakl_parity_differences", "What both ends have otherwise, by why (database).", ["scope", "kind", "cause"]
)
parity_age_seconds = _gauge(
    "centra_mirakl_parity_age_seconds", "How long ago the last whole comparison began (database).", ["scope", "kind"]
)
guard_alarms = _counter(
    "centra_mirakl_mass_change_alarms", "Passes in which the mass-change guard tripped.", ["scope", "kind"]
)
negative_stock = _counter(
    "centra_mirakl_negative_stock", "Sizes read with a negative free quantity, counted as 0.", ["scope"]
)

# --------------------------------------------------------------- intake from Centra
events_read = _counter("centra_mirakl_events_read", "Centra events by object type.", ["scope", "type"])
webhooks = _counter("centra_mirakl_webhooks", "Webhooks by verdict.", ["scope", "verdict"])
sweep_found = _counter(
    "centra_mirakl_sweep_found", "Sizes whose change only the full reconciliation noticed.", ["scope"]
)
valve_openings = _counter(
    "centra_mirakl_valve_openings", "Times the stock event queue was dropped for a full sweep.", ["scope"]
)

# --------------------------------------------------------------- orders
orders_seen = _counter("centra_mirakl_orders_seen", "Orders seen for the first time.", ["scope"])
newest_order_age_seconds = _gauge(
    "centra_mirakl_newest_order_age_seconds",
    "Time since the newest order that we know of was created; 0 where there is none (database).",
    ["scope"],
)
usual_order_gap_seconds = _gauge(
    "centra_mirakl_usual_order_gap_seconds",
    "The longest time between two orders that was usual at this hour of the week in the last four weeks; 0: too few"
    " weeks to tell (database).",
    ["scope"],
)
orders_read = _counter("centra_mirakl_orders_read", "Orders in pages read, repeats included.", ["scope"])
ledger_lines = _counter("centra_mirakl_ledger_lines", "Lines of the transaction log read, repeats included.", ["scope"])
orders_ended = _counter("centra_mirakl_orders_ended", "Orders by how they ended for us.", ["scope", "outcome"])
shipped_to_told_seconds = _histogram(
    "centra_mirakl_shipped_to_told_seconds",
    "From a parcel's shipping in Centra to the marketplace having it.",
    ["scope"],
    buckets=_SECONDS,
)
untold_shipments = _gauge(
    "centra_mirakl_untold_shipments",
    "Parcels shipped in Centra and not yet confirmed at the marketplace (database).",
    ["scope"],
)
untold_shipments_oldest_seconds = _gauge(
    "centra_mirakl_untold_shipments_oldest_seconds",
    "Time since the oldest of these was shipped in Centra (database).",
    ["scope"],
)
orders_near_lapse = _counter(
    "centra_mirakl_orders_near_lapse", "Orders decided after three quarters of their window.", ["scope"]
)
orders_accepted_elsewhere = _counter(
    "centra_mirakl_orders_accepted_elsewhere",
    "Orders that somebody else accepted: a person, or another tool.",
    ["scope"],
)
stored_to_accepted_seconds = _histogram(
    "centra_mirakl_stored_to_accepted_seconds",
    "From an order being stored to its acceptance being taken, in app seconds.",
    ["scope"],
    buckets=_SECONDS,
)
orders_open = _gauge("centra_mirakl_open_orders", "Orders under way (database).", ["scope"])
orders_unaccepted = _gauge("centra_mirakl_unaccepted_orders", "Orders not decided yet (database).", ["scope"])
acceptance_window_used_ratio = _gauge(
    "centra_mirakl_acceptance_window_used_ratio",
    "Greatest share of its acceptance window that an undecided order has used (database).",
    ["scope"],
)
acceptance_seconds_left = _gauge(
    "centra_mirakl_acceptance_left_seconds",
    "Least time that an undecided order has left, negative once it is over; a day when there is none (database).",
    ["scope"],
)
payment_wait_seconds = _gauge(
    "centra_mirakl_payment_wait_seconds",
    "Age of the oldest accepted order that waits for the buyer's payment (database).",
    ["scope"],
)
payment_wait_limit_seconds = _gauge(
    "centra_mirakl_payment_wait_limit_seconds",
    "From when on a wait for payment is too long, as set for the channel.",
    ["scope"],
)
order_pass_interval_seconds = _gauge(
    "centra_mirakl_order_pass_interval_seconds",
    "Planned time between two reads of what changed, by the settings and the marketplace's ceiling.",
    ["scope"],
)
orders_blocked = _gauge(
    "centra_mirakl_problem_orders",
    "Orders in Centra that stay blocked, since something was found (database).",
    ["scope"],
)
centra_orphans = _gauge(
    "centra_mirakl_orphan_orders",
    "Centra orders of a lost answer, not placed and not cancelled yet (database).",
    ["scope"],
)
waiting_threads = _gauge(
    "centra_mirakl_waiting_threads",
    "Conversations about orders that wait for an answer of the shop (database).",
    ["scope"],
)
waiting_threads_oldest_seconds = _gauge(
    "centra_mirakl_waiting_threads_oldest_seconds",
    "For how long the oldest conversation has waited for an answer (database).",
    ["scope"],
)
open_incidents = _gauge("centra_mirakl_incident_orders", "Orders with an open incident (database).", ["scope"])
seller_rating = _gauge(
    "centra_mirakl_seller_rating",
    "How the shop is rated, in the unit that the measure's name ends in, by the marketplace (A21) and by our own count;"
    " no series where there is nothing to rate, or too little (database).",
    ["scope", "measure", "source"],
)
seller_rating_limit = _gauge(
    "centra_mirakl_seller_rating_limit",
    "The operator's warning and limit of a measure, as set for the channel.",
    ["scope", "measure", "level"],
)
oversold_units = _counter("centra_mirakl_oversold_units", "Units accepted that Centra had no stock for.", ["scope"])
not_blocked = _counter(
    "centra_mirakl_orders_found_unblocked",
    "Orders that should have been blocked in Centra and were not; they were put on hold.",
    ["scope"],
)
unknown_words = _counter("centra_mirakl_unknown_words", "Values of an enum that nobody here knows.", ["scope", "kind"])

# --------------------------------------------------------------- several hosts of one scope
_certificates: dict[tuple[str, str], float] = {}


def certificate_seen(scope: str, url: str, expires_at: float) -> None:
    """A host showed its certificate; of a scope's hosts the first to end counts. `expires_at`: Unix time."""
    _certificates[scope, url] = expires_at
    first = min(ends for (of, _), ends in _certificates.items() if of == scope)
    credential_expires_timestamp_seconds.labels(scope, "certificate").set(first)
