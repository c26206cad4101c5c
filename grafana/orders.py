"""Orders and their deadlines. For operations."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    HELD,
    NEUTRAL,
    NONE_IS_GOOD,
    NONE_OR_PAGE,
    WINDOW,
    Panel,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    label,
    once,
    quantile,
    selector,
    total,
    within,
    worst,
)

NAME = "orders"
FLOWS = "orders|order_.*|orphans|seller_references"


NOW: list[Panel] = [
    figure(
        "Wait for an answer",
        "Orders that are neither accepted nor refused. They are answered at once unless something is held.",
        "short",
        total("unaccepted_orders"),
        NEUTRAL,
    ),
    figure(
        "Time to accept, used",
        "By the order that is next to lapse: a ticket at 50 %, a page at 75 %. `orders list` names it.",
        "percentunit",
        worst("acceptance_window_used_ratio"),
        WINDOW,
    ),
    figure(
        "Least time left",
        "Until the first order lapses; a day where none waits. `orders accept` decides by hand.",
        "s",
        f"min({once('acceptance_left_seconds')})",
        (("red", None), ("orange", 3600), ("green", 14_400)),
    ),
    figure(
        "Lapsed in 7 days",
        "Refused by the marketplace since nobody answered. Good is 0: one to three in a row close a shop.",
        "short",
        within("7d", "orders_ended_total", outcome="lapsed"),
        NONE_OR_PAGE,
    ),
    figure(
        "Shops not open",
        "Marketplaces that say that our shop is closed or suspended. Good is 0; ask the operator at once.",
        "short",
        else_zero(f"count(min by (scope) (centra_mirakl_shop_open{selector()}) == 0)"),
        NONE_OR_PAGE,
    ),
    figure(
        "New in 24 h",
        "Orders seen for the first time, on all marketplaces chosen above.",
        "short",
        within("24h", "orders_seen_total"),
        NEUTRAL,
    ),
]
"""What can lapse, as of now."""

LAST_PASS = f"max_over_time(centra_mirakl_last_success_timestamp_seconds{selector(flow='order_intake')}[3h])"
COURSE: list[Panel] = [
    curve(
        "Share of the time to accept, used",
        "Of the order next to lapse, by marketplace. The dashed lines are where a ticket and a page are sent.",
        "percentunit",
        (once("acceptance_window_used_ratio"), "{{scope}}"),
        steps=WINDOW,
        most=1,
    ),
    curve(
        "From stored to accepted",
        "Good is seconds. Longer where stock was short or Centra was away. A mark on the curve opens its trace.",
        "s",
        (quantile(0.5, "stored_to_accepted_seconds"), "{{scope}} median"),
        (quantile(0.99, "stored_to_accepted_seconds"), "{{scope}} p99"),
        exemplars=True,
    ),
    curve(
        "How did orders end, in the last hour?",
        "Released is what we want. A rise of refused points to stock; lapsed must stay 0.",
        "short",
        (within("1h", "orders_ended_total", by="outcome"), "{{outcome}}"),
        stacked=True,
        whole=True,
        width=8,
    ),
    curve(
        "Do orders still come in?",
        "Age of the newest order, beside the longest gap usual at this hour of the week; 0 is too little history.",
        "s",
        (once("newest_order_age_seconds"), "{{scope}}"),
        (once("usual_order_gap_seconds"), "{{scope}}, usual at most"),
        width=8,
    ),
    curve(
        "Time since orders were read",
        "Since the last finished pass, beside the planned interval. Two missed passes and 8 min more send a page.",
        "s",
        (f"clamp_min(time() - max without (instance, pod, flow) ({LAST_PASS}), 0)", "{{scope}}"),
        (once("order_pass_interval_seconds"), "{{scope}}, planned"),
        width=8,
    ),
]
"""Whether orders come, are answered and go on."""

SPOTTED = {
    "accepted elsewhere": "orders_accepted_elsewhere",
    "open too early": "orders_found_unblocked",
    "answered late": "orders_near_lapse",
    "units oversold": "oversold_units",
}
ODDITIES = " or ".join(label(within("24h", f"{metric}_total"), "what", words) for words, metric in SPOTTED.items())
ODD: list[Panel] = [
    bars(
        "Oldest held, by step",
        "Orders that wait for a person. `orders list --held` says why, by when and what to do.",
        "s",
        (worst("held_oldest_seconds", "flow", flow=FLOWS), "{{flow}}"),
        HELD,
    ),
    bars(
        "Odd in the last 24 h",
        "Good is 0. Accepted elsewhere: look for another tool. Open too early: look whether one was shipped.",
        "short",
        (ODDITIES, "{{what}}"),
        NONE_IS_GOOD,
    ),
    curve(
        "Buyers and leftovers",
        "Conversations without our answer, incidents, blocked orders with a finding, orders that nobody wants.",
        "short",
        (total("waiting_threads"), "unanswered conversations"),
        (total("incident_orders"), "orders with an incident"),
        (total("problem_orders"), "blocked since something was found"),
        (else_zero(total("orphan_orders")), "orphans in Centra"),
        width=8,
    ),
]
"""What waits for a person, or should not have happened."""

LOWER_IS_WORSE = "acceptance_percent|tracked_percent"


def used() -> str:
    """How much of what an operator allows is used up: 1 is its limit. Of rates that fall, what they lack of 100."""

    def share(rating: str, limit: str) -> str:
        return f"{rating} / on (scope, measure) group_left () ({limit} > 0)"

    level = {"level": "limit"}
    falling, others = {"measure": LOWER_IS_WORSE}, {"measure": f"!{LOWER_IS_WORSE}"}
    lacking = share(
        f"(100 - {once('seller_rating', **falling)})", f"(100 - {once('seller_rating_limit', **falling, **level)})"
    )
    return f"{share(once('seller_rating', **others), once('seller_rating_limit', **others, **level))} or {lacking}"


ALLOWED = (("green", None), ("orange", 0.8), ("red", 1))
RATED: list[Panel] = [
    bars(
        "Of what operators allow, used",
        "Each measure against the operator's limit, which is 100 %. `ratings orders` names the orders behind it.",
        "percentunit",
        (used(), "{{scope}} {{measure}} ({{source}})"),
        ALLOWED,
        width=12,
    ),
    curve(
        "How do ratings move?",
        "The same over time: ours each hour, the marketplace's a day later. The dashed line at 100 % is the limit.",
        "percentunit",
        (used(), "{{scope}} {{measure}} ({{source}})"),
        steps=ALLOWED,
    ),
]
"""How marketplaces rate the shop."""


def build() -> Dashboard:
    """First what can lapse, then whether orders come and go, what should not have happened, and how that is rated."""
    return frame(
        NAME,
        "Orders and deadlines",
        "Is every order answered in time, and does it go on?",
        [*NOW, *COURSE, *ODD, *RATED],
    )
