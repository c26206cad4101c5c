"""Both ends of what was sold, line by line: what left, what was cancelled, what came back, what was given back.

The stand-ins alone are asked. Units and money of a line are counted at the marketplace from its lines, refunds and
returns, in Centra from its shipments, returns and cancelled units; neither side is told what the other says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import msgspec

from app.commands.lab import Lab

COMPLETED, CANCELED = "COMPLETED", "CANCELED"


class Tax(msgspec.Struct, frozen=True):
    code: str
    amount: float


class Refund(msgspec.Struct, frozen=True):
    """Amounts in the order's tax mode."""

    id: str
    order_refund_id: str
    reason_code: str
    quantity: int
    amount: float
    shipping_amount: float
    taxes: list[Tax]
    shipping_taxes: list[Tax]


class SoldLine(msgspec.Struct, frozen=True):
    """A line at the marketplace. `refunded_total`: with all taxes."""

    order_id: str
    order_state: str
    sku: str
    shipped: int
    excluded: int
    cancelled: int
    return_expected: int
    returned: int
    refunded: int
    refunded_amount: float
    refunded_shipping_amount: float
    refunded_total: float
    refunds: list[Refund]

    @property
    def shipping(self) -> int:
        """Shipping given back, with tax, in cents."""
        with_tax = cents(self.refunded_total) == cents(self.refunded_amount) + cents(self.refunded_shipping_amount)
        added = 0 if with_tax else sum(cents(tax.amount) for given in self.refunds for tax in given.shipping_taxes)
        return cents(self.refunded_shipping_amount) + added

    @property
    def goods(self) -> int:
        return cents(self.refunded_total) - self.shipping


class ParcelTracking(msgspec.Struct, frozen=True):
    carrier_code: str | None
    tracking_number: str | None


class ToldParcel(msgspec.Struct, frozen=True):
    """A shipment at a marketplace that has several for an order."""

    order_id: str
    tracking: ParcelTracking | None


class BuyersReturn(msgspec.Struct, frozen=True):
    """A return at the marketplace; units by line id."""

    order_id: str
    state: str
    lines: dict[str, int]


class Units(msgspec.Struct, frozen=True):
    """Units of an order line of Centra; `comment` is the marketplace's line id. `value` with tax, of returns."""

    sku: str
    quantity: int
    comment: str | None = None
    cancelled: int = 0
    unit_price: float = 0.0
    value: float = 0.0

    @property
    def line_id(self) -> str:
        return self.comment or ""


class Parcel(msgspec.Struct, frozen=True):
    id: int
    number: str
    order: int
    shipped: bool
    carrier: str | None
    tracking_number: str | None
    lines: list[Units]


class CentraReturn(msgspec.Struct, frozen=True):
    id: int
    order: int
    status: str
    grand_total: float
    shipping: float
    external_id: str | None
    lines: list[Units]

    @property
    def is_completed(self) -> bool:
        return self.status == COMPLETED


class CentraTotals(msgspec.Struct, frozen=True):
    """Both with tax."""

    shipping: float
    grand_total: float = 0.0


class Entered(msgspec.Struct, frozen=True):
    """An order of Centra."""

    number: int
    status: str
    is_on_hold: bool
    is_waiting_for_payment: bool
    internal_comment: str | None
    totals: CentraTotals
    lines: list[Units]

    @property
    def is_let_go(self) -> bool:
        return self.status not in ("INCOMPLETE", "PENDING") and not (self.is_on_hold or self.is_waiting_for_payment)


@dataclass(frozen=True, slots=True)
class Sold:
    """What one marketplace says; lines by line id, returns by return id."""

    lines: Mapping[str, SoldLine]
    parcels: Sequence[ToldParcel]
    returns: Mapping[str, BuyersReturn]


@dataclass(frozen=True, slots=True)
class AfterSale:
    """Both ends at one moment: marketplaces by channel, and Centra."""

    sold: Mapping[str, Sold]
    entered: Sequence[Entered]
    parcels: Sequence[Parcel]
    returns: Sequence[CentraReturn]

    def of(self, channel: str, order_id: str) -> Entered | None:
        """The order in Centra that bears our mark of a marketplace order, once it is there."""
        mark = f"mirakl:{channel}:{order_id}"
        return next((order for order in self.entered if order.internal_comment == mark), None)


def cents(amount: float) -> int:
    """Of an amount, as the stand-ins show it."""
    return round(amount * 100)


def money(amount: int) -> str:
    """Of cents, as people read it."""
    return f"{amount // 100}.{amount % 100:02}"


async def read_after_sale(running: Lab) -> AfterSale:
    """Ask all stand-ins what became of what was sold."""
    sold: dict[str, Sold] = {}
    for channel, address in running.mirakl.items():
        after = await running.ask(address, "/_sandbox/after")
        returns = (await running.ask(address, "/_sandbox/returns"))["returns"]
        sold[channel] = Sold(
            msgspec.convert(after["lines"], dict[str, SoldLine]),
            msgspec.convert(after["shipments"], list[ToldParcel]),
            msgspec.convert(returns, dict[str, BuyersReturn]),
        )
    told = {n: (await running.ask(running.centra, f"/_sandbox/{n}"))[n] for n in ("orders", "shipments", "returns")}
    return AfterSale(
        sold,
        msgspec.convert(told["orders"], list[Entered]),
        msgspec.convert(told["shipments"], list[Parcel]),
        msgspec.convert(told["returns"], list[CentraReturn]),
    )


class Applied(msgspec.Struct, frozen=True):
    """An entry of a stand-in's ledger. `at_real` in the seconds of a clock that they share."""

    code: str
    at_real: float
    order_id: str = ""
    tracking_number: str | None = None
    shipment: int = 0


async def read_told_seconds(running: Lab, ends: AfterSale) -> dict[int, float]:
    """By parcel, the real seconds from its departure until its marketplace knew; where an order has one tracking, from
    its last departure.
    """
    shipped = {entry.shipment: entry.at_real for entry in await _ledger(running, running.centra, "SHIP")}
    by_tracking = {parcel.tracking_number: parcel.id for parcel in ends.parcels}
    last: dict[str, int] = {}
    for parcel in sorted(ends.parcels, key=lambda one: shipped.get(one.id, 0.0)):
        mark = next(order.internal_comment for order in ends.entered if order.number == parcel.order)
        last[mark or ""] = parcel.id
    told: dict[int, float] = {}
    for channel, address in running.mirakl.items():
        for entry in await _ledger(running, address, "ST01"):
            if entry.tracking_number in by_tracking:
                told[by_tracking[entry.tracking_number]] = entry.at_real
        for entry in await _ledger(running, address, "OR24"):
            told[last[f"mirakl:{channel}:{entry.order_id}"]] = entry.at_real
    return {parcel: at - shipped[parcel] for parcel, at in told.items()}


async def _ledger(running: Lab, address: str, code: str) -> list[Applied]:
    entries = (await running.ask(address, f"/_sandbox/ledger?code={code}"))["entries"]
    return msgspec.convert(entries, list[Applied])


# -------------------------------------------------------------------------------------------------- the comparison


@dataclass(frozen=True, slots=True)
class Side:
    """An order line as one end has it, in units and cents. `expected` and `announced`: in returns of the marketplace.

    `refunded` are all units that money went back for, shipped before or not; `goods` that money, with tax.
    """

    shipped: int = 0
    cancelled: int = 0
    expected: int = 0
    announced: int = 0
    returned: int = 0
    refunded: int = 0
    goods: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """One order line by both ends."""

    channel: str
    order_id: str
    line_id: str
    state: str
    there: Side
    centra: Side

    @property
    def differences(self) -> list[str]:
        """Names of what the ends do not agree about."""
        names = [field.name for field in fields(Side)]
        return [name for name in names if getattr(self.there, name) != getattr(self.centra, name)]


@dataclass(frozen=True, slots=True)
class Postage:
    """Shipping that was given back for one order, with tax, in cents."""

    channel: str
    order_id: str
    there: int
    centra: int


def compare(ends: AfterSale) -> tuple[list[Compared], list[Postage]]:
    """Every order line of every marketplace against Centra, and what of each order's shipping was given back."""
    lines: list[Compared] = []
    postage: list[Postage] = []
    for channel, sold in ends.sold.items():
        by_order: dict[str, dict[str, SoldLine]] = defaultdict(dict)
        for line_id, line in sold.lines.items():
            by_order[line.order_id][line_id] = line
        for order_id, members in by_order.items():
            entered = ends.of(channel, order_id)
            sides, shipping = _centra_sides(ends, sold, entered, {line.order_state for line in members.values()})
            for line_id, line in members.items():
                there, centra = _side_there(line), sides.get(line_id, Side())
                lines.append(Compared(channel, order_id, line_id, line.order_state, there, centra))
            given = sum(line.shipping for line in members.values())
            if given or shipping:
                postage.append(Postage(channel, order_id, given, shipping))
    return lines, postage


def differences(ends: AfterSale) -> Iterator[str]:
    """In words, all that the two ends do not agree about."""
    lines, postage = compare(ends)
    for line in lines:
        for name in line.differences:
            there, centra = (getattr(side, name) for side in (line.there, line.centra))
            if name == "goods":
                there, centra = money(there), money(centra)
            yield f"{line.line_id} on {line.channel}, {name}: {there} there, {centra} in Centra"
    for one in postage:
        if one.there != one.centra:
            amounts = f"{money(one.there)} there, {money(one.centra)} in Centra"
            yield f"{one.order_id} on {one.channel}, shipping: {amounts}"
    known = {line.line_id for line in lines}
    for order in ends.entered:
        strange = {units.line_id for units in order.lines} - known
        if strange and (order.internal_comment or "").startswith("mirakl:"):
            yield f"Centra's order {order.number} has lines that no marketplace knows: {', '.join(sorted(strange))}"


def _side_there(line: SoldLine) -> Side:
    return Side(
        shipped=line.shipped,
        cancelled=line.cancelled + line.excluded,
        expected=line.return_expected,
        announced=line.returned,
        returned=line.refunded - line.excluded,
        refunded=line.refunded,
        goods=line.goods,
    )


def _centra_sides(
    ends: AfterSale, sold: Sold, entered: Entered | None, states: set[str]
) -> tuple[dict[str, Side], int]:
    """By line id, and the shipping that was given back. What is cancelled before it is paid gives nothing back."""
    if entered is None:
        return {}, 0
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    paid = CANCELED not in states
    for line in entered.lines:
        counts[line.line_id]["cancelled"] += line.cancelled
        counts[line.line_id]["refunded"] += line.cancelled * paid
        counts[line.line_id]["goods"] += line.cancelled * cents(line.unit_price) * paid
    for parcel in ends.parcels:
        if parcel.order == entered.number and parcel.shipped:
            for line in parcel.lines:
                counts[line.line_id]["shipped"] += line.quantity
    shipping = cents(entered.totals.shipping) if paid and entered.status == "CANCELLED" else 0
    for made in (found for found in ends.returns if found.order == entered.number):
        names = [*(["announced" if made.is_completed else "expected"] if made.external_id in sold.returns else [])]
        names += ["returned", "refunded"] if made.is_completed else []
        for line in made.lines:
            counts[line.line_id].update(dict.fromkeys(names, line.quantity))
            counts[line.line_id]["goods"] += cents(line.value) * made.is_completed
        shipping += cents(made.shipping) * made.is_completed
    return {line_id: Side(**units) for line_id, units in counts.items()}, shipping
