"""`demo`: everything on this machine, a busy minute of stock changes, sixty orders, and tables that compare both ends.

The stand-ins' own ledgers are the judge: what Centra can sell against what each marketplace has, where each order
ended on both sides, and how many calls of each code arrived against its ceiling. Time runs six times as fast, for the
service and the stand-ins alike, so that one-minute ceilings pass in ten seconds; lags are in the seconds of that time.
The acts `after-sale` and `catalogue` are played alone, on clocks of their own: what becomes of orders that are sold, or
of products that an operator decides about, takes days.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from app.clock import monotonic
from app.commands.context import Exit, UnreachableError
from app.commands.demo_after_sale import CODES as AFTER_SALE_CODES
from app.commands.demo_after_sale import SHAPE as AFTER_SALE_SHAPE
from app.commands.demo_after_sale import Told as AfterSaleTold
from app.commands.demo_after_sale import columns as after_sale_columns
from app.commands.demo_after_sale import play_after_sale, prepare, show_after_sale
from app.commands.demo_cast import ORDINARY
from app.commands.demo_catalogue import CODES as CATALOGUE_CODES
from app.commands.demo_catalogue import SHAPE as CATALOGUE_SHAPE
from app.commands.demo_catalogue import Told as CatalogueTold
from app.commands.demo_catalogue import play_catalogue, prepare_catalogue, show_catalogue
from app.commands.demo_morning import SHAPE as MORNING_SHAPE
from app.commands.demo_morning import Found as Morning
from app.commands.demo_morning import by_day, play_morning, prepare_morning, show_morning
from app.commands.demo_orders import OUTCOMES, Played, differences, play
from app.commands.demo_report import Report
from app.commands.lab import MARKET, Lab, Replica, Shape, lab
from app.mirakl.quotas import ceiling_of, codes
from app.store.intents import Kind
from app.store.orders import ORDER_ENTRY, ORDERS
from app.store.pool import Database, connect
from app.store.statements import sql

SCALE = 6.0
FIRST_SECONDS = 40.0
BUSY_APP_SECONDS = 60.0
CHANGES_PER_SECOND = 60.0
HOT_SKUS = 5
HOT_SHARE = 0.5
SETTLE_SECONDS = 45.0
DAY = 86_400.0
ORDER_API_CODES = ("OrderCreate", "OrderComplete")
"""Calls of Centra's Order API, which counts in none of its plan's buckets."""
ACTS = ("all", "stock", "orders", "after-sale", "morning", "catalogue")
"""`all` are those that share a clock: stock and orders."""


async def demo(console: Console, *, act: str, report: Path | None, keep: bool) -> Exit:
    """Play an act; how it ended."""
    began = monotonic()
    found = Report(act)
    shape, stories = shape_of(found), found.plays_after_sale or found.plays_morning
    columns = after_sale_columns() if stories else _columns()
    found.scale = shape.scale
    with Progress(*columns, console=console) as progress:
        starting = progress.add_task("starting Postgres and the stand-ins", total=3)
        async with lab(shape) as running:
            progress.advance(starting, 2)
            if found.plays_after_sale:
                await prepare(running)
            if found.plays_catalogue:
                await prepare_catalogue(running)
            if found.plays_morning:
                await prepare_morning(running)
            replica = await running.start_replica()
            await running.send_webhooks_to(replica)
            progress.advance(starting)
            played = await play_act(running, progress, found)
            found.real_seconds = round(monotonic() - began, 1)
            progress.stop()
            _show(console, found, played)
            if report is not None:
                await anyio.Path(report).write_text(json.dumps(asdict(found), indent=2) + "\n")
                console.print(f"figures written to {report}")
            if keep:
                await _keep(console, running, await by_day(running, replica) if found.plays_morning else replica)
            return Exit.DONE if found.good else Exit.DIFFERENCES


def shape_of(found: Report) -> Shape:
    if found.plays_after_sale:
        return AFTER_SALE_SHAPE
    if found.plays_morning:
        return MORNING_SHAPE
    if found.plays_catalogue:
        return CATALOGUE_SHAPE
    orders = "on" if found.plays_orders else None
    return Shape(scale=SCALE, orders=orders, postgres={"fsync": "off", "full_page_writes": "off"})


def _columns() -> tuple[ProgressColumn, ...]:
    return SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


# --------------------------------------------------------------------------------------------------------- playing


@dataclass(slots=True)
class Plays:
    """What came of the acts, besides figures."""

    orders: Played = field(default_factory=Played)
    after_sale: AfterSaleTold | None = None
    morning: Morning | None = None
    catalogue: CatalogueTold | None = None


async def play_act(running: Lab, progress: Progress, found: Report) -> Plays:
    """A busy minute: thousands of changes, some SKUs hundreds of times. Then orders, while the stock settles."""
    found.channels = list(running.mirakl)
    if found.plays_catalogue:
        return await _play_catalogue(running, progress, found)
    sellable = (await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
    assert isinstance(sellable, dict)
    found.sizes = len(sellable)
    total, played = found.sizes * len(running.mirakl), Plays()
    first = progress.add_task("first push: offers of both channels", total=total)
    await _until_equal(running, progress, first, total, FIRST_SECONDS)
    async with connect(running.dsn, work_size=2, desk_size=2) as database:
        last_import = await database.desk.fetchval(sql("import/newest")) or 0
        if found.plays_stock:
            await _busy(running, progress, found)
        if found.plays_orders:
            played.orders = orders = await play(running, database, progress)
            found.orders = orders.outcomes()
            found.orders_held = [f"{order_id}: {reason}" for order_id, reason in orders.held.items()]
            found.orders_wrong, found.accepted_seconds = orders.faults, orders.seconds
        if found.plays_after_sale:
            played.after_sale = told = await play_after_sale(running, database, progress)
            found.shipments, found.refunds, found.returns = told.shipments, told.refunds, told.returns
            found.after_sale_wrong = told.faults
        if found.plays_morning:
            played.morning = morning = await play_morning(running, database, progress)
            found.morning, found.morning_wrong = morning.teams, morning.faults
        after = progress.add_task("until both ends agree", total=total)
        await _until_equal(running, progress, after, total, SETTLE_SECONDS)
        await _until_at_rest(database, SETTLE_SECONDS)
        await _measure(database, found, last_import)
    found.differences = await differences(running)
    await _count_calls(running, found)
    return played


async def _play_catalogue(running: Lab, progress: Progress, found: Report) -> Plays:
    async with connect(running.dsn, work_size=2, desk_size=2) as database:
        told = await play_catalogue(running, database, progress)
    found.products, found.products_explained, found.products_wrong = told.products, told.rows(), told.faults
    await _count_calls(running, found)
    return Plays(catalogue=told)


async def _until_equal(running: Lab, progress: Progress, task: TaskID, total: int, seconds: float) -> None:
    """Until no quantity differs, for at most so long; the end is judged later."""
    with anyio.move_on_after(seconds):
        while True:
            different = await differences(running)
            progress.update(task, completed=total - different)
            if not different:
                return
            await anyio.sleep(0.3)


async def _busy(running: Lab, progress: Progress, found: Report) -> None:
    wanted = {
        "changes_per_second": CHANGES_PER_SECOND,
        "seconds": BUSY_APP_SECONDS,
        "seed": 7,
        "hot_share": HOT_SHARE,
        "hot_skus": HOT_SKUS,
    }
    before = await running.ask(running.centra, "/_sandbox/ledger?code=stock")
    since = int(str(before["total"]))
    await running.ask(running.centra, "/_sandbox/load", dict(wanted))
    task = progress.add_task("a busy minute in the shop: changes", total=int(CHANGES_PER_SECOND * BUSY_APP_SECONDS))
    with anyio.move_on_after(2 * BUSY_APP_SECONDS / SCALE + 10):
        while True:
            load = await running.ask(running.centra, "/_sandbox/load")
            progress.update(task, completed=int(str(load["made"])))
            if load["done"]:
                break
            await anyio.sleep(0.2)
    made = await running.ask(running.centra, f"/_sandbox/ledger?code=stock&since={since}")
    entries = made["entries"]
    assert isinstance(entries, list)
    by_sku: dict[str, int] = {}
    for entry in entries:
        assert isinstance(entry, dict)
        by_sku[str(entry["sku"])] = by_sku.get(str(entry["sku"]), 0) + 1
    found.changes = len(entries)
    found.hottest_sku_changes = max(by_sku.values(), default=0)


async def _until_at_rest(database: Database, seconds: float) -> None:
    """Until every line that was sent is confirmed and no stock key is due."""
    with anyio.move_on_after(seconds):
        while await database.desk.fetchval(sql("offer/unsettled")):  # noqa: ASYNC110 - Postgres has no event
            await anyio.sleep(0.2)


async def _measure(database: Database, found: Report, last_import: int) -> None:
    for row in await database.desk.fetch(sql("import/figures"), last_import):
        found.pushes[row["scope"]] = row["lines"]
        found.imports[row["scope"]] = row["imports"]
    lags = await database.desk.fetchrow(sql("import/lags"), last_import)
    if lags is not None and lags["median"] is not None:
        found.lag_seconds = {name: round(lags[name], 1) for name in ("median", "p99", "max")}
    held = await database.desk.fetch(sql("outbox/held"), None, 10_000)
    sold = [kind.flow for kind in Kind]
    found.held = sum(row["flow"] not in (ORDERS, ORDER_ENTRY, *sold) for row in held)
    if found.plays_after_sale:
        found.after_sale_wrong += [f"{row['key']} is held: {row['reason']}" for row in held if row["flow"] in sold]


async def _count_calls(running: Lab, found: Report) -> None:
    for name, address in {"centra": running.centra, **running.mirakl}.items():
        seen = await running.ask(address, "/_sandbox/calls")
        calls, violations = seen["calls"], seen["violations"]
        assert isinstance(calls, dict)
        assert isinstance(violations, list)
        found.calls[name] = {code: int(str(count)) for code, count in sorted(calls.items())}
        found.ceilings_exceeded += len(violations)


# --------------------------------------------------------------------------------------------------------- showing


def _show(console: Console, found: Report, played: Plays) -> None:
    if found.plays_stock:
        _show_stock(console, found)
    if found.plays_orders:
        _show_orders(console, found, played.orders)
    if played.after_sale is not None:
        show_after_sale(console, played.after_sale)
    if played.morning is not None:
        show_morning(console, played.morning)
        return
    if played.catalogue is not None:
        show_catalogue(console, played.catalogue)
    _show_calls(console, found)
    colour = "green" if found.good else "red"
    wrong = [] if found.plays_catalogue else [f"{found.differences} differences of stock"]
    wrong += [f"{len(found.orders_wrong)} faults of orders"] if found.plays_orders else []
    wrong += [f"{len(found.after_sale_wrong)} after the sale"] if found.plays_after_sale else []
    wrong += [f"{len(found.products_wrong)} faults of products"] if found.plays_catalogue else []
    wrong += [f"{found.ceilings_exceeded} calls over a ceiling"]
    wrong += [] if found.plays_catalogue else [f"{found.held} SKUs held"]
    console.print(f"[bold {colour}]{', '.join(wrong)}[/], in {found.real_seconds} s")


def _show_stock(console: Console, found: Report) -> None:
    ends = Table("marketplace", title="what Centra can sell against what each marketplace has", title_justify="left")
    for name in ("sizes", "files", "lines pushed", "changes for each line"):
        ends.add_column(name, justify="right")
    for channel in found.channels:
        pushed = found.pushes.get(channel, 0)
        ratio = f"{found.changes / pushed:.1f}" if pushed else "-"
        ends.add_row(channel, str(found.sizes), str(found.imports.get(channel, 0)), str(pushed), ratio)
    console.print(ends)
    lag = found.lag_seconds
    scarce = "; what is scarce rises only after a pass over the orders" if found.plays_orders else ""
    console.print(
        f"{found.changes} changes in a minute, the hottest SKU {found.hottest_sku_changes} times\n"
        f"from change to confirmed: median {lag.get('median', '-')} s, p99 {lag.get('p99', '-')} s\n"
        f"(a file may leave once a minute{scarce})\n"
    )


def _show_orders(console: Console, found: Report, played: Played) -> None:
    special = Table(
        "order", "story", "channel", "in Centra", "ended as", title="what buyers came up with", title_justify="left"
    )
    for scene in played.scenes:
        if scene.story != ORDINARY:
            numbers = ", ".join(map(str, played.numbers[scene.order_id])) or "-"
            special.add_row(scene.order_id, scene.story, scene.channel, numbers, played.ended[scene.order_id])
    console.print(special)
    ends = Table("ended as", title="how all orders ended", title_justify="left")
    for channel in (*found.channels, "both"):
        ends.add_column(channel, justify="right")
    for outcome in OUTCOMES:
        counts = [played.outcomes(channel).get(outcome, 0) for channel in (*found.channels, None)]
        ends.add_row(outcome, *map(str, counts))
    console.print(ends)
    once = sum(len(numbers) == 1 for numbers in played.numbers.values())
    more = sum(len(numbers) > 1 for numbers in played.numbers.values())
    console.print(
        f"{len(played.scenes)} orders: {once} placed in Centra once, {more} more than once;"
        f" {played.in_time} of {played.answered} answered before the deadline\n"
        f"from stored to answered: median {played.seconds.get('median', '-')} s, p99 {played.seconds.get('p99', '-')} s"
    )
    for words in found.orders_held:
        console.print(f"held for a person: {words}", markup=False)
    for words in found.orders_wrong:
        console.print(words, style="red", markup=False)
    console.print()


def _show_calls(console: Console, found: Report) -> None:
    calls = Table("code", title="calls that arrived, against their ceilings", title_justify="left")
    for platform in found.calls:
        calls.add_column(platform, justify="right")
    calls.add_column("at most")
    shown = AFTER_SALE_CODES if found.plays_after_sale else CATALOGUE_CODES if found.plays_catalogue else None
    for code in dict.fromkeys(code for by_code in found.calls.values() for code in by_code):
        if shown is not None and code not in shown:
            continue
        counts = [str(by_code.get(code, "")) for by_code in found.calls.values()]
        calls.add_row(code, *counts, _ceiling(code, centra=code in found.calls["centra"]))
    console.print(calls)


def _ceiling(code: str, *, centra: bool) -> str:
    if centra:
        return "none published" if code in ORDER_API_CODES else "its plan's six buckets"
    name = next((name for name in (code, f"{code}.pass") if name in codes()), None)
    if name is None:
        return ""
    ceiling = ceiling_of(name)
    if ceiling.modest:
        return "none published"
    seconds = ceiling.interval_seconds
    often = f"{ceiling.calls} a day" if seconds == DAY else f"{ceiling.calls} in {seconds:g} s"
    return often if name == code else f"{often}, its pages apart"


async def _keep(console: Console, running: Lab, replica: Replica) -> None:
    console.print("\neverything keeps running; Ctrl-C ends it", highlight=False)
    for name, address in {
        "webhooks": f"{replica.webhooks}/webhooks/centra",
        "metrics": f"{replica.address}/metrics",
        "Centra stand-in": running.centra,
        **{f"marketplace {c}": a for c, a in running.mirakl.items()},
        "Postgres": running.dsn,
        "channel file": str(running.channels_file),
        "service log": str(replica.log),
    }.items():
        console.print(f"  {name:22} {address}", highlight=False, soft_wrap=True)
    console.print("\nlook into it from another terminal, with these in the environment:", highlight=False)
    for name, value in running.told().items():
        console.print(f"  export {name}='{value}'", highlight=False, soft_wrap=True)
    console.print("  centra-mirakl status", highlight=False)
    if replica.process.poll() is not None:
        raise UnreachableError(f"the service has ended; its log is {replica.log}")
    await anyio.sleep_forever()
