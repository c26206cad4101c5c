"""Refunds under faults: what a seeded run wants given back, which calls go wrong how, and the judge.

A run is some orders with cancelled units and returns. All money is in cents with tax, so the marketplace's ledger can
be compared without any rounding; most refunds of an order have amounts of their own, by which the judge knows them. It
reads the stand-ins' ledgers, and from our tables only what is held and for which call.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
REFUNDS_AT_LEAST = 10
UNKNOWN_SHARE = 0.34
"""Of the calls of an order; that of all calls is a little lower, since those after a decision go well."""
TWINS = 0.5
"""Of the orders with refunds of equal amounts so many are taken; of these only the number can be judged."""
SMALLEST_FEE = 10
"""A cent for each unit of a line is Centra's rounding (`policies/refunds`); a fee that small is taken for it."""
LATEST_SECONDS = 590.0
"""Nobody applies a request later, we assume; the run that breaks it is a test of its own."""

APPLIED = ("hang_after", "drop_after", "status_after", "cut", "html_after", "late")
"""The money is given back, and we do not hear of it."""
NOT_APPLIED = ("hang", "drop", "status")
UNKNOWN = (*APPLIED, *NOT_APPLIED)
HANGING = ("hang", "hang_after")
"""The call is in flight until its time is up, or until the engine that made it is gone."""


# --------------------------------------------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True)
class LinePlan:
    """Cents for each unit, without tax; taxes beside."""

    sku: str
    quantity: int
    price: int
    shipping: int
    taxes: tuple[int, int]
    shipping_taxes: tuple[int, int]

    @property
    def unit(self) -> int:
        return self.price + sum(self.taxes)

    @property
    def unit_shipping(self) -> int:
        return self.shipping + sum(self.shipping_taxes)

    def wanted(self, *, included: bool, codes: Sequence[str]) -> Json:
        """As the marketplace's stand-in takes it."""
        price, shipping = (self.unit, self.unit_shipping) if included else (self.price, self.shipping)
        return {
            "sku": self.sku,
            "quantity": self.quantity,
            "price_unit": price / 100,
            "shipping_price": shipping * self.quantity / 100,
            "taxes": [_tax(code, unit * self.quantity) for code, unit in zip(codes, self.taxes, strict=True)],
            "shipping_taxes": [
                _tax(code, unit * self.quantity) for code, unit in zip(codes, self.shipping_taxes, strict=True) if unit
            ],
        }


def _tax(code: str, cents: int) -> Json:
    return {"code": code, "amount": cents / 100}


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """Units by SKU that come back, with shipping given back and a fee kept, in cents. `late`: after first doubts."""

    units: Mapping[str, int]
    shipping: int
    fee: int
    cents: int
    late: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """The call of an order (counted from 0) that goes wrong."""

    call: int
    kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class OrderPlan:
    lines: tuple[LinePlan, ...]
    included: bool
    codes: tuple[str, str]
    cancelled: Mapping[str, int]
    returns: tuple[ReturnPlan, ...]
    faults: tuple[Fault, ...]

    @property
    def cancelled_cents(self) -> int:
        return sum(self.cancelled.get(line.sku, 0) * (line.unit + line.unit_shipping) for line in self.lines)

    @property
    def refunds(self) -> int:
        return len(self.returns) + bool(self.cancelled)

    @property
    def placed(self) -> Json:
        """As the marketplace's stand-in takes it."""
        return {
            "lines": [line.wanted(included=self.included, codes=self.codes) for line in self.lines],
            "tax_mode": "TAX_INCLUDED" if self.included else "TAX_EXCLUDED",
            "address_seconds": 0,
        }

    def menu(self, order_id: str) -> list[Json]:
        """Its faults for the stand-in's menu: each meets one call about this order."""
        return [
            {"code": "OR28", "about": f'"{order_id}-', "after": f.call, "kind": f.kind, "seconds": f.seconds}
            for f in self.faults
        ]


def planned(seed: int, skus: Sequence[str]) -> list[OrderPlan]:
    """The orders of a run; the same for the same seed."""
    dice, plans = random.Random(seed), list[OrderPlan]()
    while sum(plan.refunds for plan in plans) < REFUNDS_AT_LEAST:
        plan = _order(dice, skus)
        amounts = [one.cents for one in plan.returns] + ([plan.cancelled_cents] if plan.cancelled else [])
        twins = len(amounts) - len(set(amounts))
        if min(amounts) > 0 and (not twins or dice.random() < TWINS):
            plans.append(plan)
    return plans


def _order(dice: random.Random, skus: Sequence[str]) -> OrderPlan:
    taxed = dice.random() < 0.5
    lines = tuple(_line(dice, sku, taxed=taxed) for sku in dice.sample(skus, dice.choice((1, 1, 2, 3))))
    cancelled = {lines[0].sku: dice.randint(1, lines[0].quantity - 1)} if dice.random() < 0.35 else {}
    returns = tuple(_returns(dice, lines, cancelled))
    calls = range(len(returns) + bool(cancelled) + 2)
    faults = tuple(
        Fault(call, dice.choice(UNKNOWN), dice.uniform(20.0, LATEST_SECONDS))
        for call in calls
        if dice.random() < UNKNOWN_SHARE
    )
    codes = ("STATE", dice.choice(("STATE", "CITY")))
    return OrderPlan(lines, not taxed or dice.random() < 0.3, codes, cancelled, returns, faults)


def _line(dice: random.Random, sku: str, *, taxed: bool) -> LinePlan:
    shipping = dice.choice((0, 0, dice.randint(90, 490)))
    taxes = (dice.randint(100, 900), dice.randint(1, 99)) if taxed else (0, 0)
    shipping_taxes = (dice.randint(1, 40), dice.randint(0, 9)) if taxed and shipping else (0, 0)
    return LinePlan(sku, dice.randint(2, 5), dice.randint(4000, 11_999), shipping, taxes, shipping_taxes)


def _returns(dice: random.Random, lines: Sequence[LinePlan], cancelled: Mapping[str, int]) -> Iterable[ReturnPlan]:
    """Some or all of the units that left, in parts; shipping only where no unit was cancelled, which took its own."""
    left = {line.sku: line.quantity - cancelled.get(line.sku, 0) for line in lines}
    shipping = 0 if cancelled else sum(line.unit_shipping * line.quantity for line in lines)
    units = {line.sku: line.unit for line in lines}
    for _ in range(dice.randint(1, 4)):
        there = [sku for sku, count in left.items() if count]
        if not there:
            return
        picked = dice.sample(there, dice.randint(1, len(there)))
        back = {sku: 1 if dice.random() < 0.4 else dice.randint(1, left[sku]) for sku in picked}
        for sku, count in back.items():
            left[sku] -= count
        share = shipping if not any(left.values()) else dice.choice((0, dice.randint(0, shipping)))
        shipping -= share
        fee = dice.choice((0, dice.randint(SMALLEST_FEE, 999)))
        cents = sum(units[sku] * count for sku, count in back.items()) + share - fee
        yield ReturnPlan(back, share, fee, cents, late=dice.random() < 0.25)


# --------------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Wanted:
    """A completed return or a cancellation in Centra. `source`: as our intents name it."""

    source: str
    order_id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Stands:
    """What became of it with us: done, held (with its call), behind (another refund of its order is held), or else.

    `heard`: the held call was answered as it should be, so there is nothing to doubt.
    """

    state: str
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """One group of refunds in the marketplace's ledger: what one call gave back."""

    order_id: str
    cents: int


def faults_of(
    wanted: Sequence[Wanted], given: Sequence[Given], stands: Mapping[str, Stands], *, final: bool = False
) -> list[str]:
    """What is wrong with the refunds of some orders. `final`: persons have decided all that was held."""
    there, wrong = Counter((one.order_id, one.cents) for one in given), list[str]()
    alike: dict[tuple[str, int], list[Wanted]] = {}
    for one in wanted:
        alike.setdefault((one.order_id, one.cents), []).append(one)
    for place, same in alike.items():
        times, how = there.pop(place, 0), [stands.get(one.source, Stands("not noted")) for one in same]
        done = sum(one.state == "done" for one in how)
        words = ", ".join(f"{one.source} {its.state}" for one, its in zip(same, how, strict=True)) + f": {place}"
        if times > len(same):
            wrong.append(f"given back {times} times: {words}")
        elif times > done:
            wrong.append(f"given back, and not done with us: {words}")
        elif times < done or (final and times < len(same)):
            wrong.append(f"lost: {words}")
        if odd := {one.state for one in how} - {"done", "held", "behind"}:
            wrong.append(f"neither done nor held but {odd}: {words}")
        if any(one.state == "held" and one.heard for one in how):
            wrong.append(f"held without a doubt: {words}")
    for place, times in there.items():
        wrong.append(f"given back, and nobody wanted it: {times} times {place}")
    return wrong


def given_by(entries: Iterable[Json]) -> list[Given]:
    """What the entries OR28 of the marketplace's ledger gave back, with tax, group by group."""
    groups: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        cents = round(100 * (entry["amount"] + entry["shipping_amount"]))
        if entry["tax_mode"] == "TAX_EXCLUDED":
            cents += sum(round(100 * tax["amount"]) for tax in (*entry["taxes"], *entry["shipping_taxes"]))
        groups[entry["order_id"], entry["order_refund_id"]] += cents
    return [Given(order_id, cents) for (order_id, _), cents in groups.items()]
