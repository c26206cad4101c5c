"""The amounts of an order in the transaction log, part by part and tax by tax, beside those of the order.

Amounts are whole minor units, a plus is money for the shop. Equal tax codes are added up on both sides, since the log
names a row's tax by its code alone.

How the log splits an order in TAX_INCLUDED is not documented, so both ways are right: one row with the taxes in it, or
a net row and rows of tax. A tax or a shipping price that the operator keeps is right as well in each of its forms:
booked and taken off again, or not booked for us at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from app.domain.money import minor
from app.domain.orders import ENDED_STATES, Order, OrderLine, Refunded, Tax
from app.domain.settlement import Transaction
from app.policies.order_entry import TAX_INCLUDED
from app.policies.settlement.types import Part, meaning_of

NET = ""
"""Instead of a tax code: the amount itself."""
SOLD_PARTS, REFUNDED_PARTS = tuple(Part), (Part.GOODS, Part.SHIPPING)
"""What can be compared: our facts don't tell what of a fee was given back."""

Component = tuple[Part, str]


class Gap(NamedTuple):
    """A part of an order line, or one tax of it (`code`), that differs."""

    part: Part
    code: str
    expected: int
    told: int

    @property
    def name(self) -> str:
        """For people: "goods", or "tax VAT20 of shipping"."""
        return f"tax {self.code} of {self.part}" if self.code else str(self.part)


@dataclass(frozen=True, slots=True)
class Told:
    """What the log says of some order lines or of a refund: booked for us, and kept or paid by the operator."""

    ours: Mapping[Component, int]
    by_operator: Mapping[Component, int]


def told_of(rows: Iterable[Transaction]) -> Told:
    """The rows of what the buyer paid, or got back; others don't count."""
    ours: Counter[Component] = Counter()
    by_operator: Counter[Component] = Counter()
    for row in rows:
        meaning = meaning_of(row.type)
        if meaning.part is not None:
            side = by_operator if meaning.by_operator else ours
            side[meaning.part, (row.tax or "?") if meaning.tax else NET] += row.amount
    return Told(ours, by_operator)


def sold(order: Order, line: OrderLine) -> Counter[Component] | None:
    """What the buyer pays for a line, less what was cancelled before; None where that was not stored (older facts)."""
    if line.state in ENDED_STATES:
        return Counter()
    gone = cancelled(line)
    if sum(entry.quantity for entry in gone) < line.cancelled_quantity:
        return None
    amounts = priced(order, line)
    amounts[Part.FEE, NET] = minor(max(Decimal(0), line.total_price - line.price - line.shipping_price), order.currency)
    for entry in gone:
        amounts.subtract(given_back(order, entry))
    return amounts


def priced(order: Order, line: OrderLine) -> Counter[Component]:
    """What a line was ordered for, without its fees."""
    return _components(order, line.price, line.taxes, line.shipping_price, line.shipping_taxes)


def cancelled(line: OrderLine) -> tuple[Refunded, ...]:
    return tuple(entry for entry in line.taken if entry.cancelation)


def given_back(order: Order, entry: Refunded) -> Counter[Component]:
    """What a refund or cancelation took, as positive amounts."""
    return _components(order, entry.amount, entry.taxes, entry.shipping, entry.shipping_taxes)


def _components(
    order: Order, goods: Decimal, taxes: Iterable[Tax], shipping: Decimal, shipping_taxes: Iterable[Tax]
) -> Counter[Component]:
    amounts: Counter[Component] = Counter()
    for part, amount, its_taxes in ((Part.GOODS, goods, taxes), (Part.SHIPPING, shipping, shipping_taxes)):
        amounts[part, NET] = minor(amount, order.currency)
        for tax in its_taxes:
            units = minor(tax.amount, order.currency)
            amounts[part, tax.code] += units
            if order.tax_mode == TAX_INCLUDED:
                amounts[part, NET] -= units
    return amounts


def only_cycle(rows: Iterable[Transaction]) -> str | None:
    """The billing cycle of all of them; None where they are in several, or in none."""
    cycles = {row.cycle for row in rows}
    return cycles.pop() if len(cycles) == 1 else None


def gaps(
    expected: Mapping[Component, int], told: Told, parts: Collection[Part], *, tax_included: bool
) -> Iterator[Gap]:
    """Where the log differs; `expected` has net amounts and taxes, in either tax mode."""
    for part in parts:
        wanted, ours, kept = (of_part(part, side) for side in (expected, told.ours, told.by_operator))
        if tax_included:
            wanted, ours = _as_booked(wanted, ours, kept)
        for code in sorted({*wanted, *ours, *kept}):
            units, booked = wanted.get(code, 0), ours.get(code, 0)
            if not _agrees(units, booked, kept.get(code, 0)):
                yield Gap(part, code, units, booked)


def of_part(part: Part, side: Mapping[Component, int]) -> dict[str, int]:
    """The amounts of one part by tax code, the net one by `NET`."""
    return {code: units for (of, code), units in side.items() if of is part}


def _as_booked(
    wanted: dict[str, int], ours: dict[str, int], kept: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Both sides of an order whose prices contain the taxes, split alike."""
    knows_taxes = any(wanted[code] for code in wanted if code != NET)
    booked_taxes = sum(units for code, units in ours.items() if code != NET)
    kept_taxes = {code: units for code, units in kept.items() if code != NET}
    gross = sum(wanted.values())
    if knows_taxes and booked_taxes:
        return wanted, ours
    if not knows_taxes:
        ours = {NET: ours.get(NET, 0) + booked_taxes}
    net = gross - abs(sum(kept_taxes.values())) * (1 if gross > 0 else -1)
    right = net if ours.get(NET, 0) == net else gross  # with the operator's taxes in it, or without
    return {NET: right, **{code: wanted.get(code, units) for code, units in kept_taxes.items()}}, ours


def _agrees(expected: int, booked: int, kept: int) -> bool:
    """`kept`: by the operator, and booked for us before or not."""
    if not kept:
        return booked == expected
    return abs(kept) == abs(expected) and booked in (0, expected)
