"""`status`: what each flow has to do, how late it is, what is held, and when stock was last pushed."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.table import Table

from app.commands.context import configuration, database_of
from app.store.census import FlowCensus, LastImport, census, dead_letters, held_keys, last_imports
from app.store.pool import Database
from app.store.time import read_clock

HELD_SHOWN = 20


async def status(console: Console, *, scope: str | None, held: bool) -> None:
    """Print the tables."""
    async with database_of(configuration()) as database:
        async with database.desk.acquire() as connection:
            now = (await read_clock(connection)).rate.app_at
        imports = await last_imports(database)
        counted = {(r.scope, r.flow): r for r in await census(database)}
        quiet = {place: FlowCensus(*place, 0, 0, 0, None, None) for place in imports}
        rows = [row for (where, _), row in sorted((quiet | counted).items()) if scope in (None, where)]
        console.print(_flows(rows, imports, now))
        dead = await dead_letters(database)
        if any(dead.values()):
            console.print(f"[yellow]{sum(dead.values())} events could not be read[/]: see `replay --dead-letters`")
        total = sum(r.held for r in rows)
        if total:
            await _held(console, database, scope, total if held else HELD_SHOWN, now)


def _flows(rows: list[FlowCensus], imports: dict[tuple[str, str], LastImport], now: datetime) -> Table:
    table = Table("channel", "flow", title=f"at {now:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for name in ("due", "lag", "waiting", "held"):
        table.add_column(name, justify="right")
    table.add_column("last push")
    for row in rows:
        lag = "" if row.oldest_since is None else age(now, row.oldest_since)
        last = imports.get((row.scope, row.flow))
        table.add_row(
            row.scope,
            row.flow,
            str(row.due),
            lag,
            str(row.waiting),
            f"[red]{row.held}[/]" if row.held else "0",
            "" if last is None else _push(last, now),
        )
    return table


def _push(last: LastImport, now: datetime) -> str:
    bad = f", {last.bad_lines} refused" if last.bad_lines else ""
    return f"{age(now, last.sent_at)} ago: {last.lines} lines, {last.state}{bad}"


async def _held(console: Console, database: Database, scope: str | None, shown: int, now: datetime) -> None:
    table = Table("channel", "flow", "key", "since", "reason", title="held for a person", title_justify="left")
    for key in await held_keys(database, scope, shown):
        table.add_row(key.scope, key.flow, key.key, f"{age(now, key.held_at)} ago", key.reason)
    console.print(table)
    console.print("`centra-mirakl held list` says whose each is, and what to do about it")


def age(now: datetime, then: datetime) -> str:
    """`12 s`, `3 min`, `5 h`, `2 d`."""
    seconds = max(0.0, (now - then).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
