"""Are we safe now? For everybody, first thing in the morning and first thing in an incident."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    FRESH,
    HELD,
    NEUTRAL,
    NONE_IS_GOOD,
    NONE_OR_PAGE,
    TOLD,
    WINDOW,
    Panel,
    Steps,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    once,
    rows,
    total,
    worst,
)

NAME = "overview"
FIRING = 'count(ALERTS{alertstate="firing", severity="%s", team!=""}) or vector(0)'
BY_TEAM = f"{total('held_items', 'team')} or 0 * {total('held_keys', 'team')}"
"""Every team that owns a flow, also where nothing is held."""
AGREED: Steps = (("red", None), ("orange", 0.98), ("green", 0.999))


NOW: list[Panel] = [
    figure(
        "Pages",
        "Alerts that wake somebody. Good is 0. Else open the alert's page in docs/runbook.",
        "short",
        FIRING % "page",
        NONE_OR_PAGE,
        width=3,
    ),
    figure(
        "Tickets",
        "Alerts that somebody should see today. Good is 0 by the evening.",
        "short",
        FIRING % "ticket",
        NONE_IS_GOOD,
        width=3,
    ),
    figure(
        "Replicas at work",
        "Processes that reach their database. Good is as many as were deployed; 0 means that nothing moves.",
        "short",
        "sum(centra_mirakl_ready)",
        (("red", None), ("green", 1)),
        detail="platform",
        width=3,
    ),
    figure(
        "Deadline used",
        "Of the time to accept, by the order next to lapse. A ticket comes at 50 %, a page at 75 %.",
        "percentunit",
        worst("acceptance_window_used_ratio"),
        WINDOW,
        detail="orders",
        width=3,
    ),
    figure(
        "Stock lag",
        "The oldest change that no marketplace has confirmed. Good is under 6 min: later a piece may be sold twice.",
        "s",
        worst("lag_seconds", flow="stock"),
        FRESH,
        detail="stock",
        width=3,
    ),
    figure(
        "Parcel lag",
        "The oldest parcel that left and that the marketplace does not know of. Good is under 15 min.",
        "s",
        worst("untold_shipments_oldest_seconds"),
        TOLD,
        detail="dispatch",
        width=3,
    ),
    figure(
        "Money at stake",
        "In what waits for a person, by currency. Finance owns it: see Money.",
        "locale",
        else_zero(total("held_money", "currency"), "currency"),
        NEUTRAL,
        decimals=2,
        legend="{{currency}}",
        detail="money",
        width=3,
    ),
    figure(
        "Writes in doubt",
        "Calls of which nobody knows how they ended. Good is 0 within 20 min: they are decided by reading.",
        "short",
        else_zero(total("doubtful_effects")),
        NONE_IS_GOOD,
        detail="money",
        width=3,
    ),
]
"""Yes or no, each from one dashboard."""

NOW_FIRING = 'sum by (severity, alertname, scope, team) (ALERTS{alertstate="firing", team!=""})'
OWNERS: list[Panel] = [
    bars(
        "Who has something to do?",
        "Held work by its owner, each thing once. `centra-mirakl held list` names each, with its first action.",
        "short",
        (BY_TEAM, "{{team}}"),
        NONE_IS_GOOD,
        height=6,
    ),
    bars(
        "For how long has it waited?",
        "The oldest of each team. Good is under 15 min in working hours, and never over a night.",
        "s",
        (else_zero(worst("held_items_oldest_seconds", "team"), "team"), "{{team}}"),
        HELD,
        height=6,
    ),
    rows(
        "What fires?",
        "Each alert has a page in docs/runbook by its name: what it means, what to do first, how it ends.",
        else_zero(NOW_FIRING, "alertname"),
        ("severity", "alertname", "scope", "team"),
        height=6,
    ),
]
"""Who has to do what."""

PROOF: list[Panel] = [
    bars(
        "Do both ends agree?",
        "The share that agreed in the last comparison, on the marketplace where it is least. Under 98 % is a ticket.",
        "percentunit",
        (else_zero(f"min by (kind) ({once('parity_share')})", "kind"), "{{kind}}"),
        AGREED,
        width=12,
        height=6,
        decimals=2,
        most=1,
    ),
    bars(
        "What differs, and why?",
        "As last compared. `centra-mirakl parity differences` names each with both ends; what no flow mends is held.",
        "short",
        (else_zero(total("parity_differences", "kind, cause"), "kind"), "{{kind}} {{cause}}"),
        NONE_IS_GOOD,
        width=12,
        height=6,
    ),
]
"""Whether Centra, this service and each marketplace say the same."""

TODAY: list[Panel] = [
    curve(
        "Stock: age of the oldest change",
        "By marketplace. The dashed lines: half of the promised 6 min, and all of it.",
        "s",
        (worst("lag_seconds", "scope", flow="events|sizes|stock"), "{{scope}}"),
        steps=FRESH,
        width=8,
    ),
    curve(
        "Do orders still come in?",
        "Age of the newest order, and the longest gap usual at this hour; 0 is too little history. Above it, look.",
        "s",
        (once("newest_order_age_seconds"), "{{scope}}"),
        (once("usual_order_gap_seconds"), "{{scope}}, usual at most"),
        width=8,
    ),
    curve(
        "Work held for people",
        "By team, each thing once. A line that never falls has no owner.",
        "short",
        (BY_TEAM, "{{team}}"),
        width=8,
    ),
]
"""How today went."""


def build() -> Dashboard:
    """One row of yes or no, then who has to do what, then whether both ends agree, then how today went."""
    return frame(NAME, "Overview", "Are we safe now?", [*NOW, *OWNERS, *PROOF, *TODAY])
