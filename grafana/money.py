"""Refunds, pay-outs, and money that waits for a decision. For finance and customer service."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.parts import (
    HELD,
    NEUTRAL,
    NONE_IS_GOOD,
    NONE_OR_PAGE,
    Panel,
    Steps,
    bars,
    curve,
    else_zero,
    figure,
    frame,
    rate,
    total,
    worst,
)

NAME = "money"
MONEY = "refunds|cancellations|credits|returns|return_intake"
DAY = 86_400
UNPAID: Steps = (("green", None), ("orange", 14 * DAY), ("red", 28 * DAY))
"""After one usual cycle, and after two."""
READ: Steps = (("green", None), ("orange", 3 * 3_600), ("red", 6 * 3_600))
"""Read every 72 minutes; after six hours a ticket is written."""


NOW: list[Panel] = [
    figure(
        "Money at stake",
        "In what waits for a person, by currency. `held list` names each, with the amount.",
        "locale",
        else_zero(total("held_money", "currency", flow=f"{MONEY}|matching"), "currency"),
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
        "Differences of money",
        "That nobody has explained or accepted. `settlement open` names each, with both figures.",
        "short",
        else_zero(total("settlement_differences", state="open")),
        NONE_IS_GOOD,
        width=6,
    ),
]
"""What waits, and how much it is."""

PAID: list[Panel] = [
    figure(
        "Pay-outs failed, late or missing",
        "Good is 0. `settlement status` shows each billing cycle, what is paid beside what its lines come to.",
        "short",
        else_zero(total("settlement_differences", kind="payout_failed|payout_late", state="open")),
        NONE_OR_PAGE,
        width=6,
    ),
    figure(
        "Orders sent and not paid",
        "In no billing cycle yet. Usual is what is sold in a cycle; `settlement unpaid` names them, oldest first.",
        "short",
        else_zero(total("unpaid_orders")),
        NEUTRAL,
        width=6,
    ),
    figure(
        "The oldest of them",
        "Since it was sent and debited. An open incident keeps an order's money back.",
        "s",
        else_zero(worst("unpaid_orders_oldest_seconds")),
        UNPAID,
        width=6,
    ),
    figure(
        "The log was read",
        "For so long the transaction log was not read to its end. Good is under an hour and a half.",
        "s",
        else_zero(worst("settlement_read_age_seconds")),
        READ,
        width=6,
    ),
]
"""What comes in."""

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
        (else_zero(total("held_money", "flow, currency", flow=f"{MONEY}|matching"), "flow"), "{{flow}} {{currency}}"),
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
        "Differences by kind",
        "Open, explained and accepted ones of each kind. Many of one kind are a setting, or a claim to make.",
        "short",
        (else_zero(total("settlement_differences", "kind, state"), "kind"), "{{kind}} {{state}}"),
        stacked=True,
        whole=True,
    ),
]
"""What was given, and what differs."""


def build() -> Dashboard:
    """What waits and how much it is, what comes in, whose turn it is, then what was given and what differs."""
    question = "Is every refund given once, every pay-out right, and who must decide what?"
    return frame(NAME, "Money", question, [*NOW, *PAID, *WAITS, *GIVEN])
