"""`orders import`: the orders that were created in a time, from an export: counted first, stored when asked for.

An export by creation may be asked for once a day, so the one that was counted is the one that is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar

import anyio
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from app.commands.context import UnreachableError, configuration, services_of
from app.commands.orders import known_channel
from app.commands.status import age
from app.domain.ids import Scope
from app.domain.orders import Order
from app.domain.progress import Record
from app.engine.flow import Services
from app.flows.order_intake import store_orders
from app.flows.orders import step_policy
from app.mirakl.order_facts import told_of
from app.mirakl.order_schema import RawOrder
from app.policies.order_steps import End, next_step
from app.settings import SettingsError
from app.store import mirrors, orders
from app.wire.decode import Items
from app.wire.outcome import Applied, NotSent, Outcome

T = TypeVar("T")
IMPORT = "orders.import"
"""Cursor: the last export that was asked for."""
LONGEST = timedelta(days=366)
KEPT_SECONDS = 86_400.0
POLL_SECONDS = 10.0
PATIENCE_SECONDS = 60.0
MOST_SECONDS = 3_600.0
SLICE = 100


class Export(msgspec.Struct, frozen=True):
    """An export that was asked for, and the days it is about."""

    first: datetime
    last: datetime
    tracking_id: str
    asked_at: datetime


@dataclass(slots=True)
class Counted:
    """What the export holds, by state at the marketplace."""

    all: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    newer: Counter[str] = field(default_factory=Counter)
    """Known here, and updated since."""
    work: Counter[str] = field(default_factory=Counter)
    """New, and still in need of something."""
    unreadable: int = 0


async def import_orders(console: Console, channel: str, first: datetime, last: datetime, *, apply: bool) -> None:
    """Count the orders created from one day to another (UTC, both included); store them with `apply`."""
    told = configuration()
    scope = Scope(known_channel(told, channel))
    if not told.channels.by_id()[scope].orders.is_read:
        raise SettingsError(f"orders of {scope} are off in the channel file: set mode to dry_run, or on")
    first, last = (datetime.combine(day.date(), time(), UTC) for day in (first, last))
    if last < first:
        raise SettingsError(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
    if last - first > LONGEST:
        raise SettingsError("at most a year is imported at once: bring --from and --to closer together")
    async with services_of(told) as parts:
        if first > parts.clock.now():
            raise SettingsError(f"--from {first:%Y-%m-%d} is in the future")
        with console.status("asking the marketplace …") as status:
            export = await _export(parts, scope, first, last)
            urls = await _ready(parts, scope, export, status)
            counted = await _read(parts, scope, urls, export.asked_at, status, apply=apply)
        console.print(_table(scope, first, last, counted))
        if counted.unreadable:
            console.print(f"[yellow]{counted.unreadable} orders could not be read[/]")
        stored = counted.new.total() + counted.newer.total()
        how = f"{stored} orders are stored" if apply else f"nothing is stored; --apply stores {stored} orders"
        console.print(f"{how}; {counted.work.total()} of them create work")


async def _export(parts: Services, scope: Scope, first: datetime, last: datetime) -> Export:
    """The export of these days that was asked for a while ago, else a new one."""
    now = parts.clock.now()
    async with parts.database.desk.acquire() as connection:
        known = await mirrors.read_cursor(connection, scope, IMPORT, Export)
    if known and (known.first, known.last) == (first, last) and (now - known.asked_at).total_seconds() < KEPT_SECONDS:
        return known
    end = min(now, last + timedelta(days=1))
    tracking_id = await _answer(parts, lambda: parts.mirakl[scope].or13_export_orders(first, end, by_creation=True))
    export = Export(first, last, tracking_id, now)
    await _keep(parts, scope, export)
    return export


async def _keep(parts: Services, scope: Scope, export: Export | None) -> None:
    async with parts.database.desk.acquire() as connection:
        await mirrors.write_cursor(connection, scope, IMPORT, export)


async def _answer(parts: Services, call: Callable[[], Awaitable[Outcome[T]]]) -> T:
    """The value of a call; short waits for its permit are waited for. Raises UnreachableError."""
    while True:
        answer = await call()
        if isinstance(answer, Applied):
            return answer.value
        seconds = answer.retry_at_seconds if isinstance(answer, NotSent) else None
        if seconds is None:
            raise UnreachableError(f"the marketplace gives no export: {answer.reason}")
        if seconds > PATIENCE_SECONDS:
            again = age(parts.clock.after(seconds), parts.clock.now())
            raise UnreachableError(f"the marketplace allows the next export of this kind in {again}: say it again then")
        await anyio.sleep(seconds / parts.clock.scale)


async def _ready(parts: Services, scope: Scope, export: Export, status: Status) -> tuple[str, ...]:
    """The files of an export, once it is complete."""
    began = parts.clock.now()
    while True:
        found = await _answer(parts, lambda: parts.mirakl[scope].or14_get_export(export.tracking_id))
        if found.status == "COMPLETED":
            return found.urls
        waited = parts.clock.now() - began
        if found.status in ("FAILED", "CANCELED"):
            await _keep(parts, scope, None)
            raise UnreachableError(f"the marketplace's export ended {found.status} {found.error}: say it again later")
        if waited.total_seconds() > MOST_SECONDS:
            raise UnreachableError("the marketplace's export takes over an hour: say it again later, it goes on there")
        status.update(f"the export is {found.status}, {age(began + waited, began)}")
        await anyio.sleep(POLL_SECONDS / parts.clock.scale)


async def _read(
    parts: Services, scope: Scope, urls: tuple[str, ...], read_at: datetime, status: Status, *, apply: bool
) -> Counted:
    counted = Counted()
    for number, url in enumerate(urls, 1):
        status.update(f"file {number} of {len(urls)}, {counted.all.total()} orders so far")
        page = await _answer(parts, lambda: parts.mirakl[scope].or15_download_orders(url))  # noqa: B023 - awaited here
        counted.unreadable += len(page.unreadable)
        if apply and page.unreadable:
            await store_orders(parts, scope, Items((), page.unreadable), read_at)
        for start in range(0, len(page.items), SLICE):
            fresh = await _count(parts, scope, page.items[start : start + SLICE], counted)
            if apply and fresh:
                await store_orders(parts, scope, Items(fresh), read_at)
            status.update(f"file {number} of {len(urls)}, {counted.all.total()} orders so far")
    return counted


async def _count(parts: Services, scope: Scope, raw: tuple[RawOrder, ...], counted: Counted) -> tuple[RawOrder, ...]:
    """Count some orders; those that are new here, or newer than what is here. An export is never newer than a read
    that told the same update, so such an order is left alone.
    """
    async with parts.database.desk.acquire() as connection:
        known = await orders.known(connection, scope, [one.order.order_id for one in raw])
    fresh: list[RawOrder] = []
    for one in raw:
        order = told_of(one).order
        before = known.get(order.order_id)
        counted.all[order.state] += 1
        if before is None:
            counted.new[order.state] += 1
            counted.work[order.state] += _needs_us(parts, scope, order)
        elif before.updated_at < order.updated_at:
            counted.newer[order.state] += 1
        else:
            continue
        fresh.append(one)
    return tuple(fresh)


def _needs_us(parts: Services, scope: Scope, order: Order) -> bool:
    """Whether a new order is more than history: open, ours, and not from before the channel's start."""
    now = parts.clock.now()
    policy = step_policy(parts.channel(scope))
    return not isinstance(next_step(Record(order, now, now, now), policy), End)


def _table(scope: str, first: datetime, last: datetime, counted: Counted) -> Table:
    table = Table("at the marketplace", title=f"{scope}, {first:%Y-%m-%d} to {last:%Y-%m-%d}", title_justify="left")
    for name in ("orders", "new here", "newer than here", "would create work"):
        table.add_column(name, justify="right")
    for state in sorted(counted.all):
        figures = (counted.all, counted.new, counted.newer, counted.work)
        table.add_row(escape(state), *(str(figure[state]) for figure in figures))
    return table
