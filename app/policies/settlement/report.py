"""The month end of a channel's money: what the log booked in a period, with one cut-off and one time zone.

A period is a calendar month of a time zone, so that it is an hour longer or shorter where the clock changes. What was
booked in it counts, paid out or not. Sums are kept by what is reported, never line by line: a month of any size fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from app.policies.settlement.journal import Booking
from app.policies.settlement.types import Group, is_settled, meaning_of

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Period:
    """A month as two instants (UTC), the second one not in it. `name` as 2026-03."""

    name: str
    zone: ZoneInfo
    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether an instant is in it."""
        return self.start <= at < self.end


def month(name: str, zone: ZoneInfo) -> Period:
    """The month of a name as 2026-03. ValueError says how to write it."""
    try:
        first = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        raise ValueError(f"{name!r} is no month: write it as 2026-03") from None
    year, following = divmod(first.year * 12 + first.month, 12)
    end = first.replace(year=year, month=following + 1)
    return Period(f"{first:%Y-%m}", zone, first.astimezone(UTC), end.astimezone(UTC))


class Totalled(NamedTuple):
    """Lines of one kind in one currency: how many, and what they come to."""

    lines: int
    amount: int


class TaxedBy(NamedTuple):
    """What taxes are reported by. `remitted`: the operator pays it to the authorities itself."""

    country: str
    code: str
    rate: Decimal | None
    currency: str
    remitted: bool


class Taxed(NamedTuple):
    """Tax on what was sold, and given back on refunds (below 0)."""

    sold: int
    refunded: int


class Refund(NamedTuple):
    """A refund as the log has it, in minor units: what it took, and what of the commission it gave back."""

    order_id: str
    refund_id: str
    currency: str
    booked_at: datetime
    cycle: str | None
    goods: int
    shipping: int
    fees: int
    taxes: int
    commission: int


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """Sums in minor units; a plus is money for the shop."""

    groups: Mapping[tuple[Group, str], Totalled]
    """By group and currency; taxes that an amount contains are in the amount's group."""
    taxes: Mapping[TaxedBy, Taxed]
    unknown_types: Mapping[tuple[str, str], Totalled]
    """By type and currency."""
    not_in_a_cycle: Mapping[str, Totalled]
    """By currency: booked in the period, and in no billing cycle yet."""


def month_end(bookings: Iterable[Booking], period: Period) -> MonthEnd:
    """What was booked in the period, by what finance reports."""
    groups: dict[tuple[Group, str], Totalled] = {}
    unknown: dict[tuple[str, str], Totalled] = {}
    waiting: dict[str, Totalled] = {}
    taxes: defaultdict[TaxedBy, list[int]] = defaultdict(lambda: [0, 0])
    for booking in bookings:
        line = booking.transaction
        if not period.holds(line.created_at):
            continue
        meaning = meaning_of(line.type)
        _add(groups, (meaning.group, line.currency), line.amount)
        if meaning.group is Group.UNKNOWN:
            _add(unknown, (line.type, line.currency), line.amount)
        if not is_settled(line):
            _add(waiting, line.currency, line.amount)
        for by, amount in _taxed(booking):
            taxes[by][meaning.refund] += amount
    return MonthEnd(groups, {by: Taxed(*amounts) for by, amounts in taxes.items()}, unknown, waiting)


def together(parts: Iterable[MonthEnd]) -> MonthEnd:
    """Parts of one period as a whole."""
    groups: dict[tuple[Group, str], Totalled] = {}
    unknown: dict[tuple[str, str], Totalled] = {}
    waiting: dict[str, Totalled] = {}
    taxes: dict[TaxedBy, Taxed] = {}
    for part in parts:
        _join(groups, part.groups)
        _join(unknown, part.unknown_types)
        _join(waiting, part.not_in_a_cycle)
        for by, (sold, refunded) in part.taxes.items():
            before = taxes.get(by, Taxed(0, 0))
            taxes[by] = Taxed(before.sold + sold, before.refunded + refunded)
    return MonthEnd(groups, taxes, unknown, waiting)


def _join(sums: dict[K, Totalled], more: Mapping[K, Totalled]) -> None:
    for key, (count, amount) in more.items():
        lines, whole = sums.get(key, Totalled(0, 0))
        sums[key] = Totalled(lines + count, whole + amount)


def _add(sums: dict[K, Totalled], key: K, amount: int) -> None:
    lines, whole = sums.get(key, Totalled(0, 0))
    sums[key] = Totalled(lines + 1, whole + amount)


def _taxed(booking: Booking) -> Iterator[tuple[TaxedBy, int]]:
    """Taxes of sales and refunds; those on what the operator charges are in their own groups."""
    line, meaning = booking.transaction, meaning_of(booking.transaction.type)
    if meaning.part is not None and meaning.tax:
        by = TaxedBy(booking.country, line.tax or "", line.tax_rate, line.currency, meaning.by_operator)
        yield by, line.amount
    for tax in booking.contained:
        yield TaxedBy(booking.country, tax.code, tax.rate, line.currency, False), tax.amount


def refunds(bookings: Iterable[Booking]) -> Iterator[Refund]:
    """One value a refund. The bookings come ordered by order and refund; those of no refund are left out."""
    for (order_id, refund_id), together in groupby(bookings, _refund_of):
        if refund_id:
            yield _refund(order_id, refund_id, list(together))


def _refund_of(booking: Booking) -> tuple[str, str]:
    return booking.transaction.order_id or "", booking.transaction.refund_id or ""


def _refund(order_id: str, refund_id: str, bookings: list[Booking]) -> Refund:
    lines = [booking.transaction for booking in bookings]
    sums: defaultdict[Group, int] = defaultdict(int)
    for line in lines:
        sums[meaning_of(line.type).group] += line.amount
    contained: defaultdict[Group, int] = defaultdict(int)
    for booking in bookings:
        contained[meaning_of(booking.transaction.type).group] += sum(tax.amount for tax in booking.contained)
    cycles = {line.cycle for line in lines}
    return Refund(
        order_id=order_id,
        refund_id=refund_id,
        currency=lines[0].currency,
        booked_at=min(line.created_at for line in lines),
        cycle=cycles.pop() if len(cycles) == 1 else None,
        goods=sums[Group.REFUND] - contained[Group.REFUND],
        shipping=sums[Group.REFUNDED_SHIPPING] - contained[Group.REFUNDED_SHIPPING],
        fees=sums[Group.REFUNDED_ORDER_FEE],
        taxes=sums[Group.REFUND_TAX] + sums[Group.REFUNDED_SHIPPING_TAX] + sum(contained.values()),
        commission=sums[Group.REFUNDED_COMMISSION] + sums[Group.REFUNDED_COMMISSION_TAX],
    )
