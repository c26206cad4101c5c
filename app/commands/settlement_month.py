"""`settlement report` and `settlement export`: a month of money with one cut-off and one time zone, and its journal.

Both go through the ledger once, some thousand lines at a time. What was booked in the month counts, whenever it is
read; a month that is not over, or not read to its end, is said to be so and not exported.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError
from app.commands.settlement import COLUMNS, UNPAID_COLUMNS, cells_of, opened, scopes_of, unpaid_cells, written
from app.domain.money import major
from app.domain.settlement import Transaction
from app.flows.ledger.terms import accounts_of
from app.policies.csv_text import Cell
from app.policies.settlement.journal import Booking, contained_in, journal, journal_csv
from app.policies.settlement.report import MonthEnd, Period, month, month_end, refunds, together
from app.policies.settlement.types import Group, meaning_of
from app.settings import Channel, SettingsError
from app.store import ledger, settlement
from app.store.pool import Connection
from app.store.readings import read_reading
from app.store.time import read_clock

SLICE = 2_000
"""Lines that are in memory at once, and what else one order has among them."""
Lines = Callable[..., AsyncIterator[Transaction]]


def _period(channel: Channel, name: str, zone: str | None) -> Period:
    if zone is not None and zone not in available_timezones():
        raise SettingsError(f"{zone} is no time zone; name one as Europe/Paris")
    try:
        return month(name, ZoneInfo(zone) if zone else channel.settlement.time_zone)
    except ValueError as exc:
        raise SettingsError(str(exc)) from None


async def _unfinished(connection: Connection, scope: str, period: Period) -> str | None:
    """Why the month is not whole yet; None: it is."""
    now = (await read_clock(connection)).rate.app_at
    if now < period.end:
        return f"{period.name} ends on {period.end:%Y-%m-%d %H:%M} UTC"
    reading = await read_reading(connection, scope)
    if reading.whole_at is None or reading.whole_at < period.end:
        whole = "never" if reading.whole_at is None else f"last on {reading.whole_at:%Y-%m-%d %H:%M} UTC"
        return f"the log of {scope} was read to its end {whole}, and {period.name} ends on {period.end:%Y-%m-%d %H:%M}"
    return None


async def _bookings(connection: Connection, scope: str, period: Period, lines: Lines) -> AsyncIterator[list[Booking]]:
    """The month's lines with what of their orders is booked, in slices that part no order from itself where it comes
    together.
    """
    part: list[Transaction] = []
    async for line in lines(connection, scope, period.start, period.end):
        if len(part) >= SLICE and line.order_id != part[-1].order_id:
            yield await _with_orders(connection, scope, part)
            part = []
        part.append(line)
    yield await _with_orders(connection, scope, part)


async def _with_orders(connection: Connection, scope: str, lines: Sequence[Transaction]) -> list[Booking]:
    ids = sorted({line.order_id for line in lines if line.order_id is not None})
    orders = await settlement.orders_of(connection, scope, ids)
    types = await ledger.taxes_of_orders(connection, scope, ids)
    apart = {id_ for id_, its in types.items() if any(meaning_of(type_).part is not None for type_ in its)}
    found = []
    for line in lines:
        order = orders.get(line.order_id or "")
        contained = contained_in(order, line, apart=line.order_id in apart)
        found.append(Booking(line, (order.country if order else None) or "", contained))
    return found


# ------------------------------------------------------------------------------------------------------- export


async def export(console: Console, name: str, file: Path, *, channel: str | None, zone: str | None) -> None:
    """Write the month's journal. Raises DeclinedError while the month is not over, or not read to its end."""
    told = configuration()
    channels = [told.channels.by_id()[scope] for scope in sorted(scopes_of(told, channel))]
    accounts = {one.id: accounts_of(one) for one in channels}
    dimensions = sorted({column for one in accounts.values() for column in one.dimensions})
    count = 0
    async with database_of(told) as database, database.desk.acquire() as connection, connection.transaction():
        for one in channels:
            if words := await _unfinished(connection, one.id, _period(one, name, zone)):
                raise DeclinedError(f"{words}: export it after that")
        with opened(file) as out:
            out.writelines(journal_csv([], dimensions))
            for one in channels:
                period = _period(one, name, zone)
                async for bookings in _bookings(connection, one.id, period, ledger.booked):
                    lines = list(journal(bookings, accounts[one.id], one.id, period.zone))
                    out.writelines(islice(journal_csv(lines, dimensions), 1, None))
                    count += len(lines)
    console.print(f"{count} journal lines of {name} are in {file}", markup=False)


# ------------------------------------------------------------------------------------------------------- report


async def report(console: Console, name: str, *, channel: str | None, zone: str | None, folder: Path | None) -> None:
    """Print a month, and write it as CSV files; says so where it is not whole yet."""
    told = configuration()
    scopes = scopes_of(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection, connection.transaction():
        for scope in scopes:
            period = _period(told.channels.by_id()[scope], name, zone)
            with _files(folder, scope, period) as files:
                whole = await _summed(connection, scope, period, files)
                found = await _open(connection, scope, period, files)
            _print(console, scope, period, whole, found)
            if words := await _unfinished(connection, scope, period):
                console.print(f"not whole yet: {words}", markup=False, style="yellow")
    if folder is not None:
        console.print(f"written into {folder}", markup=False)


SUMMARY = ("channel", "group", "lines", "amount", "currency")
TAXES = ("channel", "country", "tax_code", "rate", "sold", "refunded", "currency", "remitted_by_operator")
REFUNDS = (
    *("channel", "order", "refund", "booked_at", "goods", "shipping", "fees", "taxes"),
    *("commission", "currency", "cycle"),
)
FEES = ("channel", "transaction", "booked_at", "type", "amount", "currency", "order", "order_line", "document", "label")

COMMISSIONS = frozenset(
    {Group.COMMISSION, Group.COMMISSION_TAX, Group.REFUNDED_COMMISSION, Group.REFUNDED_COMMISSION_TAX, Group.PURCHASE}
)


@dataclass(frozen=True, slots=True)
class Files:
    """Where each part of a report goes."""

    summary: Callable[[Sequence[Cell]], object]
    taxes: Callable[[Sequence[Cell]], object]
    refunds: Callable[[Sequence[Cell]], object]
    fees: Callable[[Sequence[Cell]], object]
    open: Callable[[Sequence[Cell]], object]
    unpaid: Callable[[Sequence[Cell]], object]


@contextlib.contextmanager
def _files(folder: Path | None, scope: str, period: Period) -> Iterator[Files]:
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise SettingsError(f"{folder} can't be made: {exc.strerror}") from None

    def file(part: str) -> Path | None:
        return None if folder is None else folder / f"{scope}-{period.name}-{part}.csv"

    with contextlib.ExitStack() as stack:
        yield Files(
            stack.enter_context(written(file("summary"), SUMMARY)),
            stack.enter_context(written(file("taxes"), TAXES)),
            stack.enter_context(written(file("refunds"), REFUNDS)),
            stack.enter_context(written(file("fees"), FEES)),
            stack.enter_context(written(file("open"), COLUMNS)),
            stack.enter_context(written(file("unpaid"), UNPAID_COLUMNS)),
        )


async def _summed(connection: Connection, scope: str, period: Period, files: Files) -> MonthEnd:
    parts: list[MonthEnd] = []
    async for bookings in _bookings(connection, scope, period, ledger.booked):
        parts = [together([*parts, month_end(bookings, period)])]
        for booking in bookings:
            if _is_fee(booking.transaction):
                files.fees(_fee(scope, booking.transaction))
    async for bookings in _bookings(connection, scope, period, ledger.booked_refunds):
        for one in refunds(bookings):
            amounts = (one.goods, one.shipping, one.fees, one.taxes, one.commission)
            money = [major(amount, one.currency) for amount in amounts]
            place = (scope, one.order_id, one.refund_id, one.booked_at.isoformat())
            files.refunds((*place, *money, one.currency, one.cycle))
    [whole] = parts
    for (group, currency), (count, amount) in sorted(whole.groups.items()):
        files.summary((scope, group.value, count, major(amount, currency), currency))
    for by, taxed in sorted(whole.taxes.items(), key=lambda item: (item[0].country, item[0].code, item[0].rate or 0)):
        sold, refunded = major(taxed.sold, by.currency), major(taxed.refunded, by.currency)
        remitted = "yes" if by.remitted else "no"
        files.taxes((scope, by.country, by.code, by.rate, sold, refunded, by.currency, remitted))
    return whole


def _is_fee(line: Transaction) -> bool:
    meaning = meaning_of(line.type)
    return meaning.is_charge or meaning.group in COMMISSIONS


def _fee(scope: str, line: Transaction) -> Sequence[Cell]:
    return (
        *(scope, line.id, line.created_at.isoformat(), line.type, major(line.amount, line.currency), line.currency),
        *(line.order_id, line.line_id, line.document, line.label),
    )


@dataclass(frozen=True, slots=True)
class Open:
    """What is open now: differences, and orders that were sent before the month's end and are in no billing cycle."""

    differences: int
    unpaid: int


async def _open(connection: Connection, scope: str, period: Period, files: Files) -> Open:
    now = (await read_clock(connection)).rate.app_at
    differences = unpaid = 0
    async for one in settlement.listed(connection, scope=scope):
        differences += 1
        files.open(cells_of(one))
    async for order in settlement.unpaid(connection, scope, period.end):
        unpaid += 1
        files.unpaid(unpaid_cells(scope, order, now))
    return Open(differences, unpaid)


def _print(console: Console, scope: str, period: Period, whole: MonthEnd, found: Open) -> None:
    title = (
        f"{scope}, {period.name} ({period.zone.key}): {period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC"
    )
    table = Table("what", title=title, title_justify="left")
    for name in ("lines", "amount"):
        table.add_column(name, justify="right")
    for (group, currency), (count, amount) in sorted(whole.groups.items()):
        table.add_row(group.value.replace("_", " "), str(count), f"{major(amount, currency)} {currency}")
    console.print(table)
    if whole.taxes:
        console.print(_taxes(whole))
    for type_, currency in sorted(whole.unknown_types):
        count, amount = whole.unknown_types[type_, currency]
        money = f"{major(amount, currency)} {currency}"
        console.print(f"[yellow]{count} lines of type {escape(type_)}, which is not known here: {money}[/]")
    for currency, (count, amount) in sorted(whole.not_in_a_cycle.items()):
        console.print(
            f"in no billing cycle by the end of the month: {count} lines, {major(amount, currency)} {currency}"
        )
    console.print(
        f"open now: {found.differences} differences (`settlement open {scope}`), {found.unpaid} orders not paid"
        f" (`settlement unpaid {scope}`)"
    )


def _taxes(whole: MonthEnd) -> Table:
    table = Table("country", "tax", title="taxes", title_justify="left")
    for name in ("rate", "sold", "refunded"):
        table.add_column(name, justify="right")
    table.add_column("remitted by")
    for by, taxed in sorted(whole.taxes.items(), key=lambda item: (item[0].country, item[0].code, item[0].rate or 0)):
        table.add_row(
            by.country or "?",
            escape(by.code),
            "" if by.rate is None else f"{by.rate:f} %",
            f"{major(taxed.sold, by.currency)} {by.currency}",
            f"{major(taxed.refunded, by.currency)} {by.currency}",
            "the operator" if by.remitted else "the shop",
        )
    return table
