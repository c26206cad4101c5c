"""`replay`: let held keys go, or read dead letters again. The work is derived anew from the present state."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from app.commands.context import configuration, database_of
from app.flows import all_flows
from app.flows.sizes import SIZES
from app.flows.sweep import SWEEP
from app.settings import SettingsError
from app.store import outbox
from app.store.effects import audit
from app.store.marks import Mark
from app.store.statements import sql


async def replay_held(console: Console, scope: str, flow: str, keys: list[str], *, who: str, why: str) -> int:
    """Let held keys of a flow go (none named: all of them); how many."""
    told = configuration()
    scopes = [told.channels.centra.id, *told.channels.by_id()]
    flows = {f.name for f in all_flows()}
    if scope not in scopes:
        raise SettingsError(f"there is no channel or source {scope}; there are {', '.join(scopes)}")
    if flow not in flows:
        raise SettingsError(f"there is no flow {flow}; there are {', '.join(sorted(flows))}")
    async with database_of(told) as database:
        released = await outbox.release(database, scope, flow, keys or None)
        async with database.desk.acquire() as connection:
            for key in released:
                await audit(connection, scope, who, f"{flow}:{key}", "held", "ready", why)
        console.print(f"{len(released)} keys of {flow} on {scope} are due now")
        return len(released)


async def replay_dead_letters(console: Console, *, who: str, why: str) -> int:
    """Read again what the events that could not be read were about; how many."""
    told = configuration()
    source = told.channels.centra.id
    async with database_of(told) as database:
        dead = await database.desk.fetch(sql("inbox/dead"), source, 50)
        table = Table("event", "about", "since", "why it could not be read", title_justify="left")
        for row in dead:
            about = f"{row['kind']} {row['reference']}"
            table.add_row(row["identity"], about, f"{row['received_at']:%Y-%m-%d %H:%M}", row["reason"])
        revived = await database.desk.fetch(sql("inbox/revive"), source)
        sizes = [Mark(source, SIZES, r["reference"]) for r in revived if r["kind"] == "ProductSize"]
        others = [Mark(source, SWEEP, SWEEP)] if len(sizes) < len(revived) else []
        await database.mark([*sizes, *others])
        async with database.desk.acquire() as connection:
            await audit(connection, source, who, "dead letters", "dead", "stored", f"{len(revived)}: {why}")
        if dead:
            console.print(table)
        console.print(
            f"{len(revived)} dead letters: {len(sizes)} sizes marked" + (", full sweep marked" if others else "")
        )
        return len(revived)
