"""Refunds, returns, and money that waits for a decision. For finance and customer service."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    HELD,
    NEUTRAL,
    NONE_IS_GOOD,
    Panel,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    once,
    rate,
    total,
    within,
    worst,
)

NAME = "money"
MONEY = "refunds|cancellations|credits|returns|return_intake"
RETURNS = "returns|return_intake"


NOW: list[Panel] = [
    figure(
        "Money at stake",
        "In what waits for a person, by currency. `held list` names each, with the amount.",
        "locale",
        else_zero(total("held_money", "currency", flow=MONEY), "currency"),
        NEUTRAL,
        width=6,
        decimals=2,
        legend="{{currency}}",
    ),
    figure(
        "Cases that wait",
        "Refunds, cancellations and returns for a person. Good is 0 by the evening.",
        "short",
        else_zero(total("held_items", flow=MONEY)),
        NONE_IS_GOOD,
        width=6,
    ),
    figure(
        "In doubt",
        "Refund calls whose answer was lost; none is sent again by itself. `held decide` says what became of it.",
        "short",
        else_zero(total("doubtful_effects", flow=MONEY)),
        NONE_IS_GOOD,
        width=6,
    ),
    figure(
        "Refund calls taken, 24 h",
        "Calls by which a marketplace gave money back, on our word. One call may carry several lines.",
        "short",
        else_zero(within("24h", "effects_total", flow="refunds", outcome="applied")),
        NEUTRAL,
        width=6,
    ),
]
"""What waits, and how much it is."""

WAITS: list[Panel] = [
    bars(
        "What do they need?",
        "By the first action. retry_daily: the balance is too small, wait. decide: look into the back office.",
        "short",
        (else_zero(total("held_items", "advice", flow=MONEY), "advice"), "{{advice}}"),
        NONE_IS_GOOD,
        width=6,
    ),
    bars(
        "Oldest, by kind",
        "Good is under an hour in office hours: a late refund becomes an incident.",
        "s",
        (else_zero(worst("held_items_oldest_seconds", "flow", flow=MONEY), "flow"), "{{flow}}"),
        HELD,
        width=6,
    ),
    curve(
        "Money at stake over time",
        "By kind and currency. A line that never falls is a case that nobody owns.",
        "locale",
        (else_zero(total("held_money", "flow, currency", flow=MONEY), "flow"), "{{flow}} {{currency}}"),
        stacked=True,
    ),
]
"""Whose turn it is, and for how long."""

GIVEN: list[Panel] = [
    curve(
        "Refunds, as the marketplaces answer",
        "Good is applied. Refused waits for the balance or a person; unknown is decided by reading the order.",
        "ops",
        (else_zero(rate("effects", "scope, outcome", flow="refunds"), "outcome"), "{{scope}} {{outcome}}"),
    ),
    curve(
        "Cancellations and credits, as answered",
        "Cancelled units at the marketplace, and money it gave by itself, brought to Centra.",
        "ops",
        (
            else_zero(rate("effects", "flow, outcome", flow="cancellations|credits"), "outcome"),
            "{{flow}} {{outcome}}",
        ),
    ),
    curve(
        "Where does money wait?",
        "Age of the oldest due work by kind. Good is under an hour from Centra's credit to the refund.",
        "s",
        (worst("lag_seconds", "flow", flow=MONEY), "{{flow}}"),
        steps=(("green", None), ("red", 3600)),
    ),
    curve(
        "Returns worked",
        "Steps of returns by how they ended; waiting is for goods, held is for a person.",
        "ops",
        (rate("keys_settled", "verdict", flow=RETURNS), "{{verdict}}"),
    ),
    curve(
        "Wait for payment",
        "Accepted orders whose buyer has not paid, beside the channel's limit. Past it, ask the operator.",
        "s",
        (once("payment_wait_seconds"), "{{scope}}"),
        (once("payment_wait_limit_seconds"), "{{scope}}, limit"),
    ),
    curve(
        "Incidents and unanswered buyers",
        "An open incident blocks the payout of its order. Answer conversations within the operator's time.",
        "short",
        (once("incident_orders"), "{{scope}} incidents"),
        (once("waiting_threads"), "{{scope}} conversations"),
    ),
]
"""What was given, and what comes back."""


def build() -> Dashboard:
    """What waits and how much it is, then what was given, then what comes back."""
    return frame(NAME, "Money", "Is every refund given once, and who must decide what?", [*NOW, *WAITS, *GIVEN])
