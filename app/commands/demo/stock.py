"""The frame of most acts: both marketplaces get all stock, something is played, and then both ends must agree again.

Of its own it has one scene, a busy minute: thousands of changes, some SKUs hundreds of times.
"""

from __future__ import annotations

import anyio
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from app.commands.demo.act import Play, Scene, Show
from app.commands.demo.orders import differences
from app.commands.demo.report import Report
from app.commands.lab import MARKET, Lab
from app.store.offers import STOCK
from app.store.pool import Database
from app.store.statements import sql

FIRST_SECONDS = 40.0
SETTLE_SECONDS = 45.0
BUSY_APP_SECONDS = 60.0
CHANGES_PER_SECOND = 60.0
HOT_SKUS = 5
HOT_SHARE = 0.5


def amid_stock(*scenes: Scene) -> Scene:
    """These scenes one after the other, between the first push and the comparison of both ends."""

    async def play_all(play: Play) -> Show:
        running, progress, found = play.running, play.progress, play.found
        sellable = (await running.ask(running.centra, f"/_sandbox/sellable?market={MARKET}"))["sellable"]
        assert isinstance(sellable, dict)
        found.sizes = len(sellable)
        total = found.sizes * len(running.mirakl)
        first = progress.add_task("first push: offers of both channels", total=total)
        await _until_equal(running, progress, first, total, FIRST_SECONDS)
        last_import = await play.database.desk.fetchval(sql("import/newest")) or 0
        shows = [await scene(play) for scene in scenes]
        after = progress.add_task("until both ends agree", total=total)
        await _until_equal(running, progress, after, total, SETTLE_SECONDS)
        await until_at_rest(play.database, SETTLE_SECONDS)
        await _measure(play.database, found, last_import)
        found.differences = await differences(running)

        def show(console: Console) -> None:
            for one in shows:
                one(console)

        return show

    return play_all


async def busy_minute(play: Play) -> Show:
    """A busy minute in the shop."""
    await _busy(play.running, play.progress, play.found)
    return lambda console: _show_stock(console, play.found)


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
    with anyio.move_on_after(2 * BUSY_APP_SECONDS / running.shape.scale + 10):
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


async def until_at_rest(database: Database, seconds: float) -> None:
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
    found.held = sum(row["flow"] == STOCK for row in held)


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
    scarce = "; what is scarce rises only after a pass over the orders" if found.orders else ""
    console.print(
        f"{found.changes} changes in a minute, the hottest SKU {found.hottest_sku_changes} times\n"
        f"from change to confirmed: median {lag.get('median', '-')} s, p99 {lag.get('p99', '-')} s\n"
        f"(a file may leave once a minute{scarce})\n"
    )
