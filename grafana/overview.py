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
    bars,
    curve,
    else_zero,
    figure,
    frame,
    label,
    once,
    rows,
    total,
    worst,
)

NAME = "overview"
FIRING = 'count(ALERTS{alertstate="firing", severity="%s", team!=""}) or vector(0)'


def _now() -> list[Panel]:
    """Yes or no, each from one dashboard."""
    return [
        figure(
            "Pages",
            "Alerts that wake somebody. Good is 0. Else open the alert's page in docs/runbook.",
            "short",
            FIRING % "page",
            NONE_OR_PAGE,
        ),
        figure(
            "Tickets",
            "Alerts that somebody should see today. Good is 0 by the evening.",
            "short",
            FIRING % "ticket",
            NONE_IS_GOOD,
        ),
        figure(
            "Replicas at work",
            "Processes that reach their database. Good is as many as were deployed; 0 means that nothing moves.",
            "short",
            "sum(centra_mirakl_ready)",
            (("red", None), ("green", 1)),
            detail="platform",
        ),
        figure(
            "Time to accept, used",
            "By the order that is next to lapse. A ticket comes at 50 %, a page at 75 %. Else nothing to do.",
            "percentunit",
            worst("acceptance_window_used_ratio"),
            WINDOW,
            detail="orders",
        ),
        figure(
            "Oldest stock change",
            "Not confirmed by a marketplace yet. Good is under 6 min: later a piece may be sold twice.",
            "s",
            worst("lag_seconds", flow="stock"),
            FRESH,
            detail="stock",
        ),
        figure(
            "Oldest parcel not told",
            "Shipped in Centra, unknown to the marketplace. Good is under 15 min; look under Dispatch.",
            "s",
            worst("untold_shipments_oldest_seconds"),
            TOLD,
            detail="dispatch",
        ),
    ]


def _owners() -> list[Panel]:
    """Who has to do what."""
    by_team = f"sum by (team) ({once('held_items')}) or sum by (team) (0 * {once('held_keys')})"
    now_firing = 'sum by (severity, alertname, scope, team) (ALERTS{alertstate="firing", team!=""})'
    quiet = label("0 * max(centra_mirakl_ready)", "alertname", "nothing fires")
    return [
        bars(
            "Who has something to do?",
            "Held work by its owner, each thing once. `centra-mirakl held list` names each, with its first action.",
            "short",
            (by_team, "{{team}}"),
            NONE_IS_GOOD,
        ),
        bars(
            "For how long has it waited?",
            "The oldest of each team. Good is under 15 min in working hours, and never over a night.",
            "s",
            (else_zero(worst("held_items_oldest_seconds", "team")), "{{team}}"),
            HELD,
        ),
        rows(
            "What fires?",
            "Each alert has a page in docs/runbook by its name: what it means, what to do first, how it ends.",
            f"{now_firing} or on () {quiet}",
            ("severity", "alertname", "scope", "team"),
        ),
    ]


def _today() -> list[Panel]:
    """How today went."""
    return [
        curve(
            "Stock: age of the oldest change",
            "By marketplace. The dashed lines: half of the promised 6 min, and all of it.",
            "s",
            (worst("lag_seconds", "scope", flow="events|sizes|stock"), "{{scope}}"),
            steps=FRESH,
        ),
        curve(
            "Orders: share of the time to accept, used",
            "Of the order next to lapse. The dashed lines are where a ticket and a page are sent.",
            "percentunit",
            (once("acceptance_window_used_ratio"), "{{scope}}"),
            steps=WINDOW,
            most=1,
        ),
        curve(
            "Do orders still come in?",
            "Age of the newest order, and the longest gap usual at this hour; 0 is too little history. Above it, look.",
            "s",
            (once("newest_order_age_seconds"), "{{scope}}"),
            (once("usual_order_gap_seconds"), "{{scope}}, usual at most"),
        ),
        figure(
            "Money at stake",
            "In what waits for a person, by currency. Finance owns it: see Money.",
            "short",
            else_zero(total("held_money", "currency")),
            NEUTRAL,
            width=6,
            decimals=2,
            legend="{{currency}}",
            detail="money",
        ).height(8),
        figure(
            "Writes in doubt",
            "Calls of which nobody knows how they ended. Good is 0 within 20 min: they are decided by reading.",
            "short",
            else_zero(total("doubtful_effects")),
            NONE_IS_GOOD,
            width=6,
            detail="money",
        ).height(8),
    ]


def build() -> Dashboard:
    """One row of yes or no, then who has to do what, then how today went."""
    return frame(NAME, "Overview", "Are we safe now?", [*_now(), *_owners(), *_today()])
