"""`settlement`: pay-outs beside their lines, what differs, what people say of it, and what is not paid yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.context import configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.money import major
from app.domain.settlement import Kind, PayOut, State
from app.flows.settlement import BACK_FILL, SETTLEMENT
from app.policies.csv_text import Cell, csv_lines
from app.settings import SettingsError
from app.store import ledger, settlement
from app.store.effects import audit
from app.store.marks import Mark
from app.store.pool import Connection, Transaction
from app.store.readings import BackFill, read_back_fill, read_reading, write_back_fill
from app.store.settlement import Noted, Unpaid
from app.store.time import read_clock
from app.supervisor import Configuration

CYCLES_SHOWN = 12
SHOWN = 50
COLUMNS = (
    *("number", "channel", "kind", "state", "expected", "told", "at_stake", "currency", "order", "order_line", "cycle"),
    *("opened_at", "what", "note", "decided_by"),
)
Writer = Callable[[Sequence[Cell]], object]
UNPAID_COLUMNS = ("channel", "order", "amount", "currency", "since", "days")


# ------------------------------------------------------------------------------------------------------- status


async def status(console: Console, channel: str | None) -> None:
    """Print the newest billing cycles, how old what is read is, and how much differs."""
    told = configuration()
    scopes = scopes_of(told, channel)
    async with database_of(told) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        for scope in scopes:
            console.print(_cycles(scope, await ledger.newest_cycles(connection, scope, CYCLES_SHOWN)))
            await _print_reading(console, connection, scope, now)
        counted = [row for row in await settlement.count(connection) if row.scope in scopes]
        console.print(_counts(counted, now) if counted else "nothing differs")


def scopes_of(told: Configuration, channel: str | None) -> list[str]:
    """The channels whose money is read, or the one that is named. Raises SettingsError where it is not."""
    if channel is not None and not told.channels.by_id()[known_channel(told, channel)].settlement.on:
        raise SettingsError(f'the money of {channel} is not read: set mode = "on" in its [channel.settlement]')
    return [one.id for one in told.channels.channel if one.settlement.on and channel in (None, one.id)]


def _cycles(scope: str, cycles: Sequence[ledger.Listed]) -> Table:
    table = Table("cycle", "closed", "pay-out", title=f"billing cycles of {scope}", title_justify="left")
    for name in ("paid", "lines come to", "apart"):
        table.add_column(name, justify="right")
    table.add_column("reference")
    for listed in cycles:
        cycle, total = listed.cycle, listed.total
        apart = "" if total is None or total == cycle.paid else str(major(cycle.paid - total, cycle.currency))
        state = f"[red]{cycle.state}: {escape(cycle.failure or '')}[/]" if cycle.state == PayOut.FAILED else cycle.state
        table.add_row(
            escape(cycle.id),
            f"{cycle.created_at:%Y-%m-%d}",
            state,
            f"{major(cycle.paid, cycle.currency)} {cycle.currency}",
            "" if total is None else str(major(total, cycle.currency)),
            apart,
            escape(cycle.reference or ""),
        )
    return table


async def _print_reading(console: Console, connection: Connection, scope: str, now: datetime) -> None:
    reading = await read_reading(connection, scope)
    whole = "never" if reading.whole_at is None else f"{age(now, reading.whole_at)} ago"
    more = "; a part of it is being read now" if reading.token else ""
    console.print(f"{scope}: the log was read to its end {whole}{more}", markup=False)
    if (filling := await read_back_fill(connection, scope)) is not None:
        state = f"{filling.files} files are stored" if filling.is_under_way else "not asked for yet (once a day)"
        console.print(f"{scope}: filling in from {filling.since:%Y-%m-%d}: {state}", markup=False)


def _counts(counted: Iterable[settlement.Counted], now: datetime) -> Table:
    table = Table("channel", "kind", "state", title="differences", title_justify="left")
    for name in ("count", "at stake", "oldest"):
        table.add_column(name, justify="right")
    for row in counted:
        money = f"{major(row.at_stake, row.currency)} {row.currency}"
        table.add_row(row.scope, row.kind, row.state, str(row.differences), money, age(now, row.since))
    return table


# -------------------------------------------------------------------------------------------------- differences


async def list_open(
    console: Console,
    channel: str | None,
    *,
    kind: Kind | None,
    cycle: str | None,
    order: str | None,
    everything: bool,
    file: Path | None,
) -> None:
    """Print or write differences, the largest first within each kind."""
    told = configuration()
    scope = None if channel is None else known_channel(told, channel)
    states = settlement.LIVE if everything else settlement.UNDECIDED
    count = 0
    table = Table("item", "channel, kind", "state, for", title="differences of money", title_justify="left")
    table.add_column("at stake", justify="right")
    table.add_column("what", overflow="fold")
    async with database_of(told) as database, database.desk.acquire() as connection, connection.transaction():
        now = (await read_clock(connection)).rate.app_at
        found = settlement.listed(connection, scope=scope, kind=kind, cycle=cycle, order_id=order, states=states)
        with written(file, COLUMNS) as write:
            async for one in found:
                count += 1
                write(cells_of(one))
                if file is None and count <= SHOWN:
                    table.add_row(*_row(one, now))
    if file is not None:
        console.print(f"{count} differences are in {file}", markup=False)
    elif count:
        console.print(table)
        if count > SHOWN:
            console.print(f"and {count - SHOWN} more: --csv FILE writes all of them, --kind some")
    else:
        console.print("nothing differs")


def _row(one: Noted, now: datetime) -> tuple[str, ...]:
    said = "" if one.note is None else f"\n{one.decided_by or 'by rule'}: {one.note}"
    return (
        f"d{one.number}",
        f"{one.scope}\n{one.kind}",
        f"{one.state}\n{age(now, one.opened_at)}",
        f"{major(one.at_stake, one.currency)} {one.currency}",
        escape(f"{one.words}{said}"),
    )


def cells_of(one: Noted) -> tuple[Cell, ...]:
    """A difference as a row of `COLUMNS`."""

    def money(units: int | None) -> Cell:
        return None if units is None else major(units, one.currency)

    return (
        *(f"d{one.number}", one.scope, one.kind.value, one.state.value),
        *(money(one.expected), money(one.told), money(one.at_stake), one.currency),
        *(one.order_id, one.line_id, one.cycle, one.opened_at.isoformat(), one.words, one.note, one.decided_by),
    )


@contextlib.contextmanager
def written(file: Path | None, columns: Sequence[str]) -> Iterator[Writer]:
    """Writes rows as CSV, where a file is wanted. Raises SettingsError where it can't be written."""
    if file is None:
        yield lambda _: None
        return
    with opened(file) as out:
        out.writelines(csv_lines([columns]))
        yield lambda cells: out.writelines(csv_lines([cells]))


def opened(file: Path) -> TextIO:
    """A file to write text into, as it is. Raises SettingsError."""
    try:
        return file.open("w", encoding="utf-8", newline="")
    except OSError as exc:
        raise SettingsError(f"{file} can't be written: {exc.strerror}") from None


async def decide(console: Console, names: Sequence[str], state: State, *, who: str, note: str) -> None:
    """Explain or accept differences. Raises DeclinedError for those that are not to be decided, after the others."""
    if not note.strip():
        raise DeclinedError("say why: --note")
    numbers = [_number(name) for name in names]
    declined: list[str] = []
    async with database_of(configuration()) as database:
        for number in numbers:

            async def steps(tx: Transaction, number: int = number) -> Noted | str:
                if await settlement.decide(tx.connection, number, state, who, note):
                    found = await settlement.one(tx.connection, number)
                    assert found is not None
                    return found
                return _why_not(number, await settlement.one(tx.connection, number))

            done = await database.transact(steps)
            if isinstance(done, str):
                declined.append(done)
            else:
                console.print(f"d{number} is {state}: {done.words}", markup=False)
    if declined:
        raise DeclinedError("\n".join(declined))


def _number(name: str) -> int:
    digits = name.removeprefix("d")
    if not digits.isdecimal() or len(digits) > 18:
        raise SettingsError(f"{name} is not the name of a difference: `settlement open` names them, as d17")
    return int(digits)


def _why_not(number: int, found: Noted | None) -> str:
    if found is None:
        return f"nobody knows d{number}: `settlement open` names what differs"
    if found.state is State.CLOSED:
        return f"d{number} is gone: both sides agree by now"
    when = "" if found.decided_at is None else f" at {found.decided_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{found.decided_by or 'a rule'} {found.state} d{number}{when}: {found.note}"


# ----------------------------------------------------------------------------------- unpaid orders, and filling in


async def list_unpaid(console: Console, channel: str, *, days: float, file: Path | None) -> None:
    """Print or write orders that were sent and are in no billing cycle, oldest first."""
    told = configuration()
    [scope] = scopes_of(told, channel)
    table = Table("order", "since", title=f"sent, and in no billing cycle of {scope}", title_justify="left")
    table.add_column("for", justify="right")
    table.add_column("amount", justify="right")
    count = 0
    async with database_of(told) as database, database.desk.acquire() as connection, connection.transaction():
        now = (await read_clock(connection)).rate.app_at
        with written(file, UNPAID_COLUMNS) as write:
            async for one in settlement.unpaid(connection, scope, now - timedelta(days=days)):
                count += 1
                write(unpaid_cells(scope, one, now))
                if file is None and count <= SHOWN:
                    amount = f"{major(one.owed, one.currency)} {one.currency}"
                    table.add_row(escape(one.order_id), f"{one.since:%Y-%m-%d}", age(now, one.since), amount)
    if file is None and count:
        console.print(table)
    where = f" are in {file}" if file is not None else ""
    console.print(f"{count} orders{where}", markup=False)


def unpaid_cells(scope: str, one: Unpaid, now: datetime) -> tuple[Cell, ...]:
    """An order as a row of `UNPAID_COLUMNS`."""
    days = (now - one.since).days
    return scope, one.order_id, major(one.owed, one.currency), one.currency, one.since.isoformat(), days


async def back_fill(console: Console, channel: str, since: datetime, *, who: str, why: str) -> None:
    """Have the log filled in from a day on; the service does it. Raises DeclinedError while one is under way."""
    told = configuration()
    [scope] = scopes_of(told, channel)
    start = since.replace(tzinfo=UTC)
    async with database_of(told) as database:

        async def steps(tx: Transaction) -> None:
            before = await read_back_fill(tx.connection, scope)
            if before is not None and before.is_under_way:
                raise DeclinedError(f"it is being filled in from {before.since:%Y-%m-%d}: wait for its end")
            await write_back_fill(tx.connection, scope, BackFill(start))
            await audit(
                tx.connection, scope, who, f"{SETTLEMENT}:{BACK_FILL}", None, "asked", f"{start:%Y-%m-%d}: {why}"
            )
            tx.mark([Mark(scope, SETTLEMENT, BACK_FILL)])

        await database.transact(steps)
    console.print(
        f"the log of {scope} is filled in from {start:%Y-%m-%d} on: `settlement status` says how far", markup=False
    )
