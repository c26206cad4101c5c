"""`demo`: everything on this machine, a busy minute of stock changes, sixty orders, and tables that compare both ends.

The stand-ins' own ledgers are the judge: what Centra can sell against what each marketplace has, where each order
ended on both sides, and how many calls of each code arrived against its ceiling. Time runs six times as fast, for the
service and the stand-ins alike, so that one-minute ceilings pass in ten seconds; lags are in the seconds of that time.
The other acts are played alone, on clocks of their own: what becomes of orders that are sold, or of products that an
operator decides about, takes days. An act is a module here with an `ACT` at its foot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import anyio
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from app.clock import monotonic
from app.commands.context import Exit, UnreachableError
from app.commands.demo import after_sale, catalogue, morning, settlement
from app.commands.demo.act import Act, Play, Show
from app.commands.demo.orders_shown import play_orders
from app.commands.demo.report import Report
from app.commands.demo.stock import amid_stock, busy_minute
from app.commands.lab import Lab, Replica, Shape, lab
from app.mirakl.quotas import ceiling_of, codes
from app.store.pool import connect

QUICK = {"fsync": "off", "full_page_writes": "off"}
STOCK = Shape(scale=6.0, postgres=QUICK)
ORDERS = Shape(scale=6.0, orders="on", postgres=QUICK)
DAY = 86_400.0
ORDER_API_CODES = ("OrderCreate", "OrderComplete")
"""Calls of Centra's Order API, which counts in none of its plan's buckets."""
ACTS: Mapping[str, Act] = {
    act.name: act
    for act in (
        Act("all", ORDERS, amid_stock(busy_minute, play_orders)),
        Act("stock", STOCK, amid_stock(busy_minute)),
        Act("orders", ORDERS, amid_stock(play_orders)),
        after_sale.ACT,
        morning.ACT,
        catalogue.ACT,
        settlement.ACT,
    )
}
"""`all` are those that share a clock: stock and orders."""


async def demo(console: Console, *, act: Act, report: Path | None, keep: bool) -> Exit:
    """Play an act; how it ended."""
    began = monotonic()
    found = Report(act.name, scale=act.shape.scale)
    with Progress(*act.columns(), console=console) as progress:
        starting = progress.add_task("starting Postgres and the stand-ins", total=3)
        async with lab(act.shape) as running:
            progress.advance(starting, 2)
            await act.prepare(running)
            replica = await running.start_replica()
            await running.send_webhooks_to(replica)
            progress.advance(starting)
            show = await play_act(running, progress, act, found)
            found.real_seconds = round(monotonic() - began, 1)
            progress.stop()
            show(console)
            if act.shows_calls:
                _show_calls(console, act, found)
                _show_end(console, found)
            if report is not None:
                await anyio.Path(report).write_text(json.dumps(asdict(found), indent=2) + "\n")
                console.print(f"figures written to {report}")
            if keep:
                await _keep(console, running, await act.keep(running, replica))
            return Exit.DONE if found.good else Exit.DIFFERENCES


async def play_act(running: Lab, progress: Progress, act: Act, found: Report) -> Show:
    """Play it on what runs, and count the calls that it made."""
    found.channels = list(running.mirakl)
    async with connect(running.dsn, work_size=2, desk_size=2) as database:
        show = await act.scene(Play(running, database, progress, found))
    await _count_calls(running, found)
    return show


async def _count_calls(running: Lab, found: Report) -> None:
    for name, address in {"centra": running.centra, **running.mirakl}.items():
        seen = await running.ask(address, "/_sandbox/calls")
        calls, violations = seen["calls"], seen["violations"]
        assert isinstance(calls, dict)
        assert isinstance(violations, list)
        found.calls[name] = {code: int(str(count)) for code, count in sorted(calls.items())}
        found.ceilings_exceeded += len(violations)


# --------------------------------------------------------------------------------------------------------- showing


def _show_calls(console: Console, act: Act, found: Report) -> None:
    calls = Table("code", title="calls that arrived, against their ceilings", title_justify="left")
    for platform in found.calls:
        calls.add_column(platform, justify="right")
    calls.add_column("at most")
    for code in dict.fromkeys(code for by_code in found.calls.values() for code in by_code):
        if act.codes is not None and code not in act.codes:
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


def _show_end(console: Console, found: Report) -> None:
    words = [f"{len(found.faults)} faults", f"{found.ceilings_exceeded} calls over a ceiling"]
    if found.sizes:
        words = [f"{found.differences} differences of stock", *words, f"{found.held} SKUs held"]
    console.print(f"[bold {'green' if found.good else 'red'}]{', '.join(words)}[/], in {found.real_seconds} s")


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
