"""Every metric, declared once: name, help, unit and labels. Labels are scope, flow, code, team: never an id.

Counters are this process's own and add up over replicas. Gauges marked *database* are read from the shared tables
and exported by every replica alike: rules take `max without (instance, pod)` of them.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, that nobody asks for
registry = CollectorRegistry(auto_describe=True)

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1800, 3600)

# --------------------------------------------------------------- the outbox, database gauges
lag_seconds = Gauge(
    "centra_mirakl_lag_seconds",
    "Age of the oldest due key, or of the oldest line sent and not confirmed (database).",
    ["scope", "flow"],
    registry=registry,
)
due_keys = Gauge("centra_mirakl_due_keys", "Keys due now (database).", ["scope", "flow"], registry=registry)
waiting_keys = Gauge(
    "centra_mirakl_waiting_keys", "Keys due at a later time (database).", ["scope", "flow"], registry=registry
)
held_keys = Gauge(
    "centra_mirakl_held_keys",
    "Keys held for a person (database).",
    ["scope", "flow", "team"],
    registry=registry,
)
held_oldest_seconds = Gauge(
    "centra_mirakl_held_oldest_seconds",
    "Age of the oldest held key (database).",
    ["scope", "flow"],
    registry=registry,
)
held_items = Gauge(
    "centra_mirakl_held_items",
    "What needs a person, each thing once, by its owner and what to do about it; `key`: see its flow (database).",
    ["scope", "flow", "team", "advice"],
    registry=registry,
)
publication_keys = Gauge(
    "centra_mirakl_publication_keys",
    "SKUs by how their product, offer or prices stand at the marketplace (database).",
    ["scope", "kind", "state"],
    registry=registry,
)
publication_oldest_seconds = Gauge(
    "centra_mirakl_publication_oldest_seconds",
    "Since when the longest of them stands so, such as waiting for the operator (database).",
    ["scope", "kind", "state"],
    registry=registry,
)
held_money = Gauge(
    "centra_mirakl_held_money",
    "Money at stake in what needs a person, in the currency's major unit (database).",
    ["scope", "flow", "team", "currency"],
    registry=registry,
)
dead_letters = Gauge(
    "centra_mirakl_dead_letters",
    "Facts that could not be read, kept for a person (database).",
    ["scope"],
    registry=registry,
)
budget_used_ratio = Gauge(
    "centra_mirakl_budget_used_ratio",
    "Used share of a call allowance, by API code or bucket (database).",
    ["scope", "code"],
    registry=registry,
)
allowance_left = Gauge(
    "centra_mirakl_allowance_left",
    "What Centra says is left of a rate limit, used by whomever.",
    ["scope", "bucket"],
    registry=registry,
)
shop_open = Gauge(
    "centra_mirakl_shop_open",
    "1 while the marketplace says that our shop is open.",
    ["scope"],
    registry=registry,
)
last_success_seconds = Gauge(
    "centra_mirakl_last_success_timestamp_seconds",
    "When a flow last finished a pass here, as Unix time of the app clock.",
    ["scope", "flow"],
    registry=registry,
)
scope_paused = Gauge(
    "centra_mirakl_scope_paused",
    "1 while a scope waits for its credentials to be mended.",
    ["scope"],
    registry=registry,
)
ready = Gauge("centra_mirakl_ready", "1 while this replica works, 0 while it waits for Postgres.", registry=registry)

# --------------------------------------------------------------- work
keys_settled = Counter(
    "centra_mirakl_keys_settled",
    "Keys worked, by how they ended.",
    ["scope", "flow", "verdict"],
    registry=registry,
)
claims_lost = Counter(
    "centra_mirakl_claims_lost",
    "Claims that another replica had taken over.",
    ["scope", "flow"],
    registry=registry,
)
passes_failed = Counter(
    "centra_mirakl_passes_failed", "Passes that ended in an error.", ["scope", "flow"], registry=registry
)
change_to_confirmed_seconds = Histogram(
    "centra_mirakl_change_to_confirmed_seconds",
    "From the change in Centra to the import report that confirms it, in app seconds.",
    ["scope", "flow"],
    buckets=_SECONDS,
    registry=registry,
)

# --------------------------------------------------------------- calls
calls = Counter(
    "centra_mirakl_calls", "Calls by API code and outcome.", ["scope", "code", "outcome"], registry=registry
)
call_seconds = Histogram(
    "centra_mirakl_call_seconds",
    "Duration of a call, in real seconds.",
    ["scope", "code"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
effects = Counter(
    "centra_mirakl_effects",
    "Outside writes by outcome.",
    ["scope", "flow", "code", "outcome"],
    registry=registry,
)
permit_waits = Counter(
    "centra_mirakl_permit_waits", "Calls that had to wait for a permit.", ["scope", "code"], registry=registry
)

# --------------------------------------------------------------- imports and stock
import_lines = Counter(
    "centra_mirakl_import_lines", "Import lines by result.", ["scope", "kind", "result"], registry=registry
)
imports_ended = Counter(
    "centra_mirakl_imports_ended", "Imports by their end.", ["scope", "kind", "end"], registry=registry
)
import_size_lines = Histogram(
    "centra_mirakl_import_size_lines",
    "Lines of an import.",
    ["scope", "kind"],
    buckets=(1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000),
    registry=registry,
)
stale_corrected = Counter(
    "centra_mirakl_stale_values_corrected",
    "Values found different at the marketplace and marked to be pushed again.",
    ["scope", "flow"],
    registry=registry,
)
guard_alarms = Counter(
    "centra_mirakl_mass_change_alarms",
    "Passes in which the mass-change guard tripped.",
    ["scope", "kind"],
    registry=registry,
)
negative_stock = Counter(
    "centra_mirakl_negative_stock",
    "Sizes read with a negative free quantity, counted as 0.",
    ["scope"],
    registry=registry,
)

# --------------------------------------------------------------- intake from Centra
events_read = Counter(
    "centra_mirakl_events_read", "Centra events by object type.", ["scope", "type"], registry=registry
)
webhooks = Counter("centra_mirakl_webhooks", "Webhooks by verdict.", ["scope", "verdict"], registry=registry)
sweep_found = Counter(
    "centra_mirakl_sweep_found",
    "Sizes whose change only the full reconciliation noticed.",
    ["scope"],
    registry=registry,
)
valve_openings = Counter(
    "centra_mirakl_valve_openings",
    "Times the stock event queue was dropped for a full sweep.",
    ["scope"],
    registry=registry,
)

# --------------------------------------------------------------- orders
orders_seen = Counter("centra_mirakl_orders_seen", "Orders seen for the first time.", ["scope"], registry=registry)
orders_read = Counter(
    "centra_mirakl_orders_read", "Orders in pages read, repeats included.", ["scope"], registry=registry
)
orders_ended = Counter(
    "centra_mirakl_orders_ended", "Orders by how they ended for us.", ["scope", "outcome"], registry=registry
)
shipped_to_told_seconds = Histogram(
    "centra_mirakl_shipped_to_told_seconds",
    "From a parcel's shipping in Centra to the marketplace having it.",
    ["scope"],
    buckets=_SECONDS,
    registry=registry,
)
orders_near_lapse = Counter(
    "centra_mirakl_orders_near_lapse",
    "Orders decided after three quarters of their window.",
    ["scope"],
    registry=registry,
)
orders_accepted_elsewhere = Counter(
    "centra_mirakl_orders_accepted_elsewhere",
    "Orders that somebody else accepted: a person, or another tool.",
    ["scope"],
    registry=registry,
)
stored_to_accepted_seconds = Histogram(
    "centra_mirakl_stored_to_accepted_seconds",
    "From an order being stored to its acceptance being taken, in app seconds.",
    ["scope"],
    buckets=_SECONDS,
    registry=registry,
)
orders_open = Gauge("centra_mirakl_open_orders", "Orders under way (database).", ["scope"], registry=registry)
orders_unaccepted = Gauge(
    "centra_mirakl_unaccepted_orders", "Orders not decided yet (database).", ["scope"], registry=registry
)
acceptance_window_used_ratio = Gauge(
    "centra_mirakl_acceptance_window_used_ratio",
    "Greatest share of its acceptance window that an undecided order has used (database).",
    ["scope"],
    registry=registry,
)
acceptance_seconds_left = Gauge(
    "centra_mirakl_acceptance_left_seconds",
    "Least time that an undecided order has left, negative once it is over; a day when there is none (database).",
    ["scope"],
    registry=registry,
)
payment_wait_seconds = Gauge(
    "centra_mirakl_payment_wait_seconds",
    "Age of the oldest accepted order that waits for the buyer's payment (database).",
    ["scope"],
    registry=registry,
)
payment_wait_limit_seconds = Gauge(
    "centra_mirakl_payment_wait_limit_seconds",
    "From when on a wait for payment is too long, as set for the channel.",
    ["scope"],
    registry=registry,
)
order_pass_interval_seconds = Gauge(
    "centra_mirakl_order_pass_interval_seconds",
    "Planned time between two reads of what changed, by the settings and the marketplace's ceiling.",
    ["scope"],
    registry=registry,
)
orders_blocked = Gauge(
    "centra_mirakl_problem_orders",
    "Orders in Centra that stay blocked, since something was found (database).",
    ["scope"],
    registry=registry,
)
centra_orphans = Gauge(
    "centra_mirakl_orphan_orders",
    "Centra orders of a lost answer, not placed and not cancelled yet (database).",
    ["scope"],
    registry=registry,
)
waiting_threads = Gauge(
    "centra_mirakl_waiting_threads",
    "Conversations about orders that wait for an answer of the shop (database).",
    ["scope"],
    registry=registry,
)
waiting_threads_oldest_seconds = Gauge(
    "centra_mirakl_waiting_threads_oldest_seconds",
    "For how long the oldest conversation has waited for an answer (database).",
    ["scope"],
    registry=registry,
)
open_incidents = Gauge(
    "centra_mirakl_incident_orders", "Orders with an open incident (database).", ["scope"], registry=registry
)
oversold_units = Counter(
    "centra_mirakl_oversold_units",
    "Units accepted that Centra had no stock for.",
    ["scope"],
    registry=registry,
)
not_blocked = Counter(
    "centra_mirakl_orders_found_unblocked",
    "Orders that should have been blocked in Centra and were not; they were put on hold.",
    ["scope"],
    registry=registry,
)
unknown_words = Counter(
    "centra_mirakl_unknown_words",
    "Values of an enum that nobody here knows.",
    ["scope", "kind"],
    registry=registry,
)
