"""Which lines of an order to accept (business rules 11 and 20; field cases 16 and 42).

A line is accepted when what is free in Centra, less the units promised before it, covers it whole. What fails on our
side (no figure, a SKU that we do not know) holds the order for a person and never refuses it; so does a price far
below any that we asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, assert_never

from app.domain.ids import OrderLineId, Sku
from app.domain.money import major, minor
from app.domain.orders import Order, OrderLine, OrderState

UNDECIDED = (OrderState.STAGING, OrderState.WAITING_ACCEPTANCE)

Choice = Literal["refuse", "hold", "accept"]


@dataclass(frozen=True, slots=True)
class AcceptancePolicy:
    """What a channel decides.

    `short`: what becomes of a line that stock does not cover ("accept" makes it demand in Centra). `partial`: what
    becomes of an order with some lines short where the marketplace takes only all or nothing; `partial_allowed` says
    whether it does, None until it is known. `price_guard_share`: how far below the lowest price of our own history a
    buyer's price may be, 0 to 1; None is no guard. `offer_tax_mode`: whether our offers' prices contain taxes.
    """

    short: Choice = "refuse"
    partial_allowed: bool | None = None
    partial: Choice = "hold"
    price_guard_share: Decimal | None = None
    offer_tax_mode: Literal["TAX_INCLUDED", "TAX_EXCLUDED"] = "TAX_INCLUDED"


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is of a SKU for this order, in units.

    `free`: FTA just read, None where it could not be. `reserved_before`: promised to orders that came earlier, by
    (reserved_at, id), and not yet allocated in Centra. `problem`: why no figure can be right, for people.
    """

    free: int | None
    reserved_before: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """What to answer for each undecided line; refusing the order is False for all. `short`: not covered by stock."""

    lines: Mapping[OrderLineId, bool]
    short: frozenset[OrderLineId] = frozenset()
    steps: tuple[str, ...] = ()

    @property
    def mixed(self) -> bool:
        """Whether it needs partial acceptance."""
        return len(set(self.lines.values())) > 1


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """Nothing is answered; a person decides before the deadline."""

    reason: str
    steps: tuple[str, ...] = ()


Decision = Accept | HoldOrder


def decide(order: Order, stock: Mapping[Sku, Stock], policy: AcceptancePolicy) -> Decision:
    """What to answer for the lines that wait for a decision, each accepted or refused whole.

    Units of lines before it count against a line even when those are short themselves: the order of the reservations
    decides, and nothing is promised twice while a person may still accept them.
    """
    undecided = _undecided(order)
    if not undecided:
        return HoldOrder("no line of the order waits for a decision")
    for line in undecided:
        if reason := _unknown(line, stock.get(line.sku)):
            return HoldOrder(reason)
    covered, steps = _covered(undecided, stock)
    short = frozenset(line.line_id for line in undecided if not covered[line.line_id])
    match policy.short:
        case "accept":
            return Accept(dict.fromkeys(covered, True), short, steps)
        case "hold" if short:
            return HoldOrder(f"{_lines_of(short, undecided)} short of stock", steps)
        case "hold" | "refuse":
            decision = Accept(covered, short, steps)
            return whole(decision, policy) if policy.partial_allowed is False else decision
        case _:
            assert_never(policy.short)


def whole(decision: Accept, policy: AcceptancePolicy) -> Decision:
    """The decision where the marketplace takes all lines or none (it said ORDER_PARTIAL_ACCEPTANCE_DISABLED)."""
    if not decision.mixed:
        return decision
    match policy.partial:
        case "hold":
            words = f"{_lines_of(decision.short, decision.lines)} short of stock; the marketplace takes all or none"
            return HoldOrder(words, decision.steps)
        case "accept" | "refuse":
            answer = policy.partial == "accept"
            step = f"the marketplace takes all lines or none: all {'accepted' if answer else 'refused'}"
            return replace(decision, lines=dict.fromkeys(decision.lines, answer), steps=(*decision.steps, step))
        case _:
            assert_never(policy.partial)


def price_guard(order: Order, history: Mapping[Sku, Sequence[Decimal]], policy: AcceptancePolicy) -> str | None:
    """Why the buyer's prices need a person's eye; None when they are in order.

    `history`: the prices our offer had in the window, in the order's currency and the offers' tax basis; a SKU
    without any is not guarded. A higher price is fine. Where taxes have to be added or taken off, one minor unit for
    each unit is rounding.
    """
    if policy.price_guard_share is None:
        return None
    for line in _undecided(order):
        asked = history.get(line.sku)
        if not asked:
            continue
        paid, rounding = line.price, Decimal(0)
        if order.tax_mode != policy.offer_tax_mode:
            taxes = sum((tax.amount for tax in line.taxes), Decimal(0))
            paid += taxes if policy.offer_tax_mode == "TAX_INCLUDED" else -taxes
            rounding = major(line.quantity, order.currency)
        if paid + rounding < (1 - policy.price_guard_share) * min(asked) * line.quantity:
            unit = major(minor(paid / line.quantity, order.currency), order.currency)
            return (
                f"{line.sku} was bought at {unit} {order.currency} a unit, the lowest price we asked lately is"
                f" {min(asked)} {order.currency}"
            )
    return None


def _undecided(order: Order) -> tuple[OrderLine, ...]:
    """The lines that wait for a decision, in the marketplace's order."""
    waiting = [line for line in order.lines if line.state in UNDECIDED and line.live]
    return tuple(sorted(waiting, key=lambda line: line.index))


def _unknown(line: OrderLine, stock: Stock | None) -> str | None:
    if stock is None:
        return f"{line.sku}: its stock was not read"
    if stock.problem is not None:
        return f"{line.sku}: {stock.problem}"
    return f"{line.sku}: Centra gave no stock figure" if stock.free is None else None


def _covered(
    lines: Sequence[OrderLine], stock: Mapping[Sku, Stock]
) -> tuple[Mapping[OrderLineId, bool], tuple[str, ...]]:
    covered: dict[OrderLineId, bool] = {}
    steps: list[str] = []
    earlier: Counter[Sku] = Counter()
    for line in lines:
        there = stock[line.sku]
        left = (there.free or 0) - there.reserved_before - earlier[line.sku] - line.quantity
        covered[line.line_id] = left >= 0
        steps.append(
            f"line {line.line_id}, {line.sku}: free {there.free}, reserved before {there.reserved_before},"
            f" earlier lines {earlier[line.sku]}, this line {line.quantity}: {left} left,"
            f" {'covered' if left >= 0 else 'short'}"
        )
        earlier[line.sku] += line.quantity
    return covered, tuple(steps)


def _lines_of(short: frozenset[OrderLineId], among: Sequence[OrderLine] | Mapping[OrderLineId, bool]) -> str:
    return f"{len(short)} of {len(among)} lines {'is' if len(short) == 1 else 'are'}"
