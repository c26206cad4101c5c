"""`carriers list`, `unmapped`, `map`, `unmap`, `import`, `export`: Centra's carriers and what a marketplace calls them.

Strict: a code is one that the marketplace lists (SH21), a free name only where it takes one (PC01). Whoever changes a
row releases the parcels that wait for it, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.after_sale import Carrier, CarrierRow, Registered
from app.flows.after_sale.market import Market, read_market
from app.policies.carriers import Unmapped, carrier_for, fold, read_rows, row_fault, write_rows
from app.settings import SettingsError
from app.store import carriers, intents
from app.store.effects import audit
from app.store.intents import Kind
from app.store.pool import Database, Transaction
from app.store.time import read_clock


async def list_carriers(console: Console, channel: str) -> None:
    """Print a channel's table, and which of its rows the marketplace does not take any more."""
    told = configuration()
    scope = known_channel(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        market = await read_market(connection, scope)
        table = Table("in Centra", f"at {scope}", "by", "since", title="carriers", title_justify="left")
        for mapped in await carriers.read(connection, scope):
            fault = row_fault(mapped.row, market.registered, market.free_carriers)
            words = escape(_words(mapped.row.carrier)) + (f"\n[red]{escape(fault)}[/]" if fault else "")
            table.add_row(escape(mapped.row.text), words, escape(mapped.by), f"{mapped.at:%Y-%m-%d %H:%M}")
        console.print(table)


def _words(carrier: Carrier) -> str:
    return carrier.code or f"{carrier.name} {carrier.url}".strip()


async def list_unmapped(console: Console, channel: str | None) -> None:
    """Print what held parcels wait for, by carrier, with the registered carriers that read alike."""
    told = configuration()
    scope = None if channel is None else known_channel(told, channel)
    table = Table(
        "channel", "in Centra", "parcels", "oldest", "why", "closest at the marketplace", title_justify="left"
    )
    async with database_of(told) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        markets: dict[str, Market] = {}
        for waiting in await carriers.unmapped(connection, scope):
            market = markets.get(waiting.scope) or await read_market(connection, waiting.scope)
            markets[waiting.scope] = market
            listed = market.registered or ()
            found = carrier_for(
                waiting.carrier, waiting.service, market.rows, listed, free_allowed=market.free_carriers
            )
            if not isinstance(found, Unmapped):
                continue  # mapped a moment ago: its parcels are looked at again
            closest = ", ".join(_named(carrier) for carrier in found.closest)
            count, oldest = str(waiting.parcels), age(now, waiting.oldest_at)
            table.add_row(waiting.scope, escape(waiting.text), count, oldest, found.reason, escape(closest))
    if not table.row_count:
        console.print("no parcel waits for a carrier")
        return
    console.print(table)
    console.print('map each: centra-mirakl carriers map CHANNEL "TEXT" CODE', markup=False)


def _named(carrier: Registered) -> str:
    return carrier.code if carrier.code == carrier.label else f"{carrier.code} ({carrier.label})"


async def map_carrier(console: Console, channel: str, text: str, carrier: Carrier, *, who: str, why: str) -> None:
    """Write one row. Raises DeclinedError where the marketplace would not take it."""
    told = configuration()
    scope = known_channel(told, channel)
    row = CarrierRow(fold(text), carrier)
    async with database_of(told) as database:
        listed, free = await _taken(database, scope)
        if fault := row_fault(row, listed, free):
            raise DeclinedError(f"{text}: {fault}{_hint(carrier, listed)}")
        console.print(await _write(database, scope, [row], who, why), markup=False)


async def unmap_carrier(console: Console, channel: str, text: str, *, who: str, why: str) -> None:
    """Take one row out: parcels of that carrier are held from now on. Raises DeclinedError where there is none."""
    told = configuration()
    scope = known_channel(told, channel)
    key = fold(text)

    async def steps(tx: Transaction) -> str:
        was = await carriers.take_out(tx.connection, scope, key)
        if was is None:
            raise DeclinedError(f"{text} is not in the table of {scope}: `carriers list {scope}` shows what is")
        await audit(tx.connection, scope, who, f"carrier:{key}", _words(was), "unmapped", why)
        marks = await intents.marks_of_kind(tx.connection, scope, Kind.SHIPMENT)
        tx.mark(marks)
        return f"{key} is not mapped any more at {scope}, it was {_words(was)};{_orders(len(marks))}"

    async with database_of(told) as database:
        console.print(await database.transact(steps), markup=False)


def _hint(carrier: Carrier, listed: Sequence[Registered]) -> str:
    """The registered carriers closest to what was asked for."""
    found = carrier_for(carrier.code or carrier.name, "", (), listed, free_allowed=False)
    closest = ", ".join(map(_named, found.closest)) if isinstance(found, Unmapped) else ""
    return f"; closest are {closest}" if closest else ""


async def import_carriers(console: Console, channel: str, file: Path, *, who: str, why: str) -> None:
    """Write all rows of a file, or none. Raises DeclinedError with each fault and its line."""
    told = configuration()
    scope = known_channel(told, channel)
    try:
        text = await anyio.Path(file).read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise SettingsError(f"{file} can't be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} is no UTF-8: save it as CSV UTF-8") from None
    async with database_of(told) as database:
        listed, free = await _taken(database, scope)
        rows, faults = read_rows(text, listed, free_allowed=free)
        if faults:
            lines = "\n".join(f"{file.name}, line {fault.line}: {fault.words}" for fault in faults)
            raise DeclinedError(f"nothing is imported, {len(faults)} of its lines are wrong:\n{lines}")
        if not rows:
            raise DeclinedError(f"nothing is imported: {file} has a header and no rows")
        console.print(await _write(database, scope, rows, who, why), markup=False)


async def export_carriers(console: Console, channel: str, file: Path | None) -> None:
    """Write a channel's table as CSV, as `carriers import` reads it."""
    told = configuration()
    scope = known_channel(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        rows = [mapped.row for mapped in await carriers.read(connection, scope)]
    text = write_rows(rows)
    if file is None:
        console.file.write(text)
        return
    try:
        await anyio.Path(file).write_text(text, encoding="utf-8", newline="")
    except OSError as exc:
        raise SettingsError(f"{file} can't be written: {exc.strerror}") from None
    console.print(f"{len(rows)} rows are in {file}", markup=False)


# ---------------------------------------------------------------------------------------------------------- writing


async def _taken(database: Database, scope: str) -> tuple[tuple[Registered, ...], bool]:
    """The carriers that the marketplace lists, and whether it takes free names. Raises DeclinedError."""
    async with database.desk.acquire() as connection:
        market = await read_market(connection, scope)
    if market.registered is None:
        raise DeclinedError(
            f"the carriers of {scope} were never read, so no code can be checked:"
            " is the service running, and after_sale on?"
        )
    return market.registered, market.free_carriers


async def _write(database: Database, scope: str, rows: Sequence[CarrierRow], who: str, why: str) -> str:
    """Write the rows that differ, each with its audit, and have held parcels looked at again; what was done."""

    async def steps(tx: Transaction) -> str:
        before = {mapped.row.text: mapped.row.carrier for mapped in await carriers.read(tx.connection, scope)}
        changed = [row for row in rows if before.get(row.text) != row.carrier]
        await carriers.put(tx.connection, scope, changed, who)
        for row in changed:
            old = before.get(row.text)
            subject, was = f"carrier:{row.text}", None if old is None else _words(old)
            await audit(tx.connection, scope, who, subject, was, _words(row.carrier), why)
        marks = await intents.marks_of_kind(tx.connection, scope, Kind.SHIPMENT)
        tx.mark(marks)
        same = len(rows) - len(changed)
        return f"{len(changed)} rows of {scope} are written, {same} were so already;{_orders(len(marks))}"

    return await database.transact(steps)


def _orders(count: int) -> str:
    return f" {count} orders with parcels to tell are looked at again" if count else " no parcel waits"
