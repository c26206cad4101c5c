"""Is stock fresh, where does it wait, and could a piece be sold twice? For operations and ecommerce."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    FRESH,
    NONE_IS_GOOD,
    NONE_OR_PAGE,
    Panel,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    label,
    once,
    quantile,
    rate,
    selector,
    total,
    within,
    worst,
)

NAME = "stock"


NOW: list[Panel] = [
    figure(
        "Oldest change not confirmed",
        "Over all marketplaces. Good is under 3 min; from 6 min on a minute counts as stale.",
        "s",
        worst("lag_seconds", flow="stock"),
        FRESH,
        width=5,
    ),
    figure(
        "Fresh minutes, 30 days",
        "Share of minutes with every change under 6 min old, at the worst step. Promised are 99.5 %.",
        "percentunit",
        f"1 - max(avg_over_time(scope_flow:centra_mirakl_lag_seconds:stale{selector()}[30d]))",
        (("red", None), ("green", 0.995)),
        width=5,
        decimals=2,
    ),
    figure(
        "Offers that differ",
        "The marketplace shows another quantity than it confirmed. Good is 0; each is pushed again by itself.",
        "short",
        total("stock_differences"),
        NONE_IS_GOOD,
        width=5,
    ),
    figure(
        "Units oversold, 24 h",
        "Accepted although Centra had none. Good is 0. Each needs a decision: `orders list --held`.",
        "short",
        within("24h", "oversold_units_total"),
        NONE_OR_PAGE,
        width=5,
    ),
    figure(
        "Held",
        "SKUs that wait for a person; they are not sent. `status --held` says why.",
        "short",
        total("held_keys", flow="events|sizes|stock|sweep|full_push|read_back"),
        NONE_IS_GOOD,
    ),
]
"""The promise, as of now."""

GUARDED = {
    "corrected at the marketplace": "stale_values_corrected",
    "found only by the sweep": "sweep_found",
    "mass changes stopped": "mass_change_alarms",
    "negative in Centra": "negative_stock",
    "event queues dropped": "valve_openings",
}
CAUGHT = " or ".join(
    label(else_zero(within("24h", f"{metric}_total")), "what", words) for words, metric in GUARDED.items()
)
FRESHNESS: list[Panel] = [
    curve(
        "Lag by step",
        "Age of the oldest change by step: event queue, size, marketplace. The first late step is the one to mend.",
        "s",
        (once("lag_seconds", flow="events|sizes|stock|imports"), "{{scope}} {{flow}}"),
        steps=FRESH,
    ),
    curve(
        "From change to confirmed",
        "From the change in Centra to the import report that confirms it. A mark on the curve opens its trace.",
        "s",
        (quantile(0.5, "change_to_confirmed_seconds"), "{{scope}} median"),
        (quantile(0.99, "change_to_confirmed_seconds"), "{{scope}} p99"),
        steps=FRESH,
        exemplars=True,
    ),
    curve(
        "Offers that differ from what was confirmed",
        "As last read back. A line that stays up is drift: somebody else writes quantities.",
        "short",
        (once("stock_differences"), "{{scope}}"),
    ),
    bars(
        "Caught in the last 24 h",
        "What the safety nets found. Good is near 0; a stopped mass change needs a person now.",
        "short",
        (CAUGHT, "{{what}}"),
        NONE_IS_GOOD,
        width=12,
    ),
]
"""Where it waits, and what the marketplace shows."""

WORK: list[Panel] = [
    curve(
        "SKUs due and waiting",
        "Due: to be sent now. Waiting: later, by the marketplace's ceiling of one file a minute.",
        "short",
        (once("due_keys", flow="stock"), "{{scope}} due"),
        (once("waiting_keys", flow="stock"), "{{scope}} waiting"),
    ),
    curve(
        "Import lines by result",
        "As the marketplace's own report says. A refused line holds its SKU; look at the product there.",
        "ops",
        (rate("import_lines", "scope, result", kind="stock"), "{{scope}} {{result}}"),
    ),
    curve(
        "Lines in a file, p90",
        "How many SKUs one file carries. Higher under load: changes of one SKU leave as one line.",
        "short",
        (quantile(0.9, "import_size_lines"), "{{scope}}"),
    ),
    curve(
        "What Centra tells us",
        "Events by what they are about, those that occur, and webhooks. Silence in working hours is a reason to look.",
        "ops",
        (f"{rate('events_read', 'type')} > 0", "{{type}}"),
        (
            rate("webhooks", "verdict"),
            "webhook {{verdict}}",
        ),
    ),
]
"""What is sent, and what comes of it."""


def build() -> Dashboard:
    """From a change in Centra to its confirmation by each marketplace's own import report."""
    return frame(
        NAME,
        "Stock freshness and overselling",
        "Is stock fresh, and could a piece be sold twice?",
        [*NOW, *FRESHNESS, *WORK],
    )
