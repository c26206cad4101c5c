"""`parity run`, `show`, `differences`: how much of both ends agrees, and what does not.

Nothing is compared here: `run` marks the walks of the flow `parity` and waits until the service has made them.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import anyio
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.clock import monotonic
from app.commands.context import Exit, UnreachableError, configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.domain.parity import Kind
from app.flows import order_look_back, read_back
from app.flows.parity import Progress as Walked
from app.flows.parity import Walk, cursor_of
from app.policies.carriers import guarded
from app.policies.parity import score
from app.settings import Channel, SettingsError
from app.store import mirrors, parity
from app.store.marks import Mark
from app.store.parity import PARITY, Difference, Run
from app.store.pool import Connection, Database
from app.store.statements import sql
from app.store.time import read_clock
from app.supervisor import Configuration

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 120.0
"""Real seconds without any progress after which the service is taken to stand."""
PAGE = 500
SHOWN = 50
RUNS = ("channel", "kind", "agrees", "compared", "differ", "on_their_way", "as_of", "ended_at")
LINES = ("item", "channel", "kind", "key", "member", "ours", "theirs", "cause", "known_by", "team", "done", "tries")
TIMES = ("first_seen_at", "last_seen_at")
Place = tuple[str, Walk]
URGENT = 0


@dataclass(frozen=True, slots=True)
class Left:
    """What is waited for; `again_at`: when it goes on by itself."""

    words: str
    again_at: datetime | None = None


# --------------------------------------------------------------------------------------------------------------- run


async def run(console: Console, errors: Console, channel: str | None, kind: Kind | None, *, fresh: bool) -> Exit:
    """Have the walks made, and print how they ended. Raises UnreachableError when nothing moves."""
    told = configuration()
    channels = _channels(told, channel)
    places = {
        (one.id, walk): walk.kinds(one)
        for one in channels
        for walk in Walk
        if one.parity.on and (walk.kinds(one) if kind is None else kind in walk.kinds(one))
    }
    if not places:
        raise DeclinedError("nothing of it is compared: the channel file has it switched off")
    async with database_of(told) as database:
        if fresh:
            await _read_anew(database, errors, {scope for scope, _ in places}, told.channels.by_id())
        began_at = await _now(database)
        await database.mark([Mark(scope, PARITY, walk.value, priority=URGENT) for scope, walk in places])
        await _wait(database, errors, places, began_at)
        return await _print(console, database, {one.id for one in channels}, kind, None)


def _channels(told: Configuration, channel: str | None) -> Sequence[Channel]:
    if channel is None:
        return told.channels.channel
    return [told.channels.by_id()[known_channel(told, channel)]]


async def _now(database: Database) -> datetime:
    async with database.desk.acquire() as connection:
        return (await read_clock(connection)).rate.app_at


async def _read_anew(database: Database, errors: Console, scopes: set[str], channels: Mapping[str, Channel]) -> None:
    """Exports of live offers and of orders, as soon as their ceilings allow."""
    began_at = await _now(database)
    wanted = [(scope, read_back.READ_BACK) for scope in sorted(scopes)]
    wanted += [(scope, order_look_back.LOOK_BACK) for scope in sorted(scopes) if channels[scope].orders.is_read]
    await database.mark([Mark(scope, flow, flow, priority=URGENT) for scope, flow in wanted])

    async def left(connection: Connection) -> list[Left]:
        open_ = [place for place in wanted if not await _is_read(connection, *place, began_at)]
        return [Left(f"{flow} of {scope}") for scope, flow in open_]

    await _until_none(database, errors, "reading", len(wanted), left)


async def _is_read(connection: Connection, scope: str, flow: str, since: datetime) -> bool:
    if flow == read_back.READ_BACK:
        export = await mirrors.read_cursor(connection, scope, flow, read_back.Export)
        at = None if export is None or export.last_asked_at is None else datetime.fromisoformat(export.last_asked_at)
    else:
        looked = await mirrors.read_cursor(connection, scope, order_look_back.LOOKED, order_look_back.Looked)
        at = None if looked is None else looked.asked_at
    return at is not None and at >= since


async def _wait(
    database: Database, errors: Console, places: Mapping[Place, Sequence[Kind]], began_at: datetime
) -> None:
    """Until each has ended a walk that ended after it was asked for."""

    async def left(connection: Connection) -> list[Left]:
        ended = {(run.scope, run.kind): run.ended_at for run in await parity.runs(connection)}
        open_ = [
            place
            for place, kinds in places.items()
            if not all((at := ended.get((place[0], kind))) is not None and at >= began_at for kind in kinds)
        ]
        return [await _how_far(connection, scope, walk) for scope, walk in open_]

    await _until_none(database, errors, "comparing", len(places), left)


async def _how_far(connection: Connection, scope: str, walk: Walk) -> Left:
    """Raises DeclinedError for a walk that waits for a person."""
    walked = await mirrors.read_cursor(connection, scope, cursor_of(walk), Walked)
    compared = 0 if walked is None else sum(counts[0] for counts in walked.counts.values())
    words, key = f"{walk} of {scope}, {compared} compared", await connection.fetchrow(*_key(scope, walk))
    if key is None or key["claimed"]:
        return Left(words)
    if key["state"] == "held":
        raise DeclinedError(f"{walk} of {scope} is held: {key['reason']}; mend it, then `held retry`")
    if key["reason"] is not None and key["due_at"] is not None:
        return Left(f"{words}, again at {key['due_at']:%H:%M:%S}: {key['reason']}", key["due_at"])
    return Left(words)


def _key(scope: str, walk: Walk) -> tuple[str, str, str, str]:
    return sql("outbox/one"), scope, PARITY, walk.value


async def _until_none(
    database: Database, errors: Console, what: str, total: int, left: Callable[[Connection], Awaitable[list[Left]]]
) -> None:
    """Show what is left until nothing is. Raises UnreachableError when that stands still."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    last, moved_at = "", monotonic()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        while True:
            async with database.desk.acquire() as connection:
                now = (await read_clock(connection)).rate.app_at
                found = await left(connection)
            if not found:
                return
            words = f"{what}: {'; '.join(one.words for one in found)}"
            if words != last or any(one.again_at is not None and one.again_at > now for one in found):
                last, moved_at = words, monotonic()
                progress.update(task, description=words, completed=total - len(found))
            if monotonic() - moved_at > PATIENCE_SECONDS:
                raise UnreachableError(f"nothing moves ({words}): is the service running? It goes on when it is")
            await anyio.sleep(POLL_SECONDS)


# -------------------------------------------------------------------------------------------------------------- show


async def show(console: Console, channel: str | None, file: Path | None) -> None:
    """Print the last whole comparison of each kind."""
    told = configuration()
    scopes = {one.id for one in _channels(told, channel)}
    async with database_of(told) as database:
        await _print(console, database, scopes, None, file)


async def _print(console: Console, database: Database, scopes: set[str], kind: Kind | None, file: Path | None) -> Exit:
    async with database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        runs = [r for r in await parity.runs(connection) if r.scope in scopes and kind in (None, r.kind)]
    if not runs:
        console.print("nothing was compared yet: `centra-mirakl parity run`", markup=False)
        return Exit.DONE
    with _rows(file, RUNS) as write:
        for one in runs:
            write(_cells(one))
    console.print(_table(runs, now))
    return Exit.DIFFERENCES if any(one.differing for one in runs) else Exit.DONE


def _share(one: Run) -> str:
    """Never 100 % while anything differs."""
    whole = int(score(one.compared, one.differing) * 10_000) / 100
    return f"{whole:.2f} %"


def _table(runs: Sequence[Run], now: datetime) -> Table:
    table = Table("channel", "kind", title=f"parity at {now:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for name in ("agrees", "compared", "differ", "on their way", "with copies from", "ended"):
        table.add_column(name, justify="right")
    last = ""
    for one in runs:
        red = "red" if one.differing else ""
        table.add_row(
            one.scope if one.scope != last else "",
            one.kind.value,
            f"[{red}]{_share(one)}[/]" if red else _share(one),
            str(one.compared),
            str(one.differing),
            str(one.on_its_way),
            f"{age(now, one.as_of)} ago",
            f"{age(now, one.ended_at)} ago",
        )
        last = one.scope
    return table


def _cells(one: Run) -> tuple[object, ...]:
    share = score(one.compared, one.differing)
    counts = (one.compared, one.differing, one.on_its_way)
    return (one.scope, one.kind.value, share, *counts, one.as_of.isoformat(), one.ended_at.isoformat())


# ------------------------------------------------------------------------------------------------------- differences


async def differences(console: Console, channel: str | None, kind: Kind | None, file: Path | None) -> None:
    """Print what differs, or write all of it."""
    told = configuration()
    scope = None if channel is None else known_channel(told, channel)
    count, shown = 0, list[Difference]()
    async with database_of(told) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        with _rows(file, LINES + TIMES) as write:
            last = 0
            while page := await parity.open_ones(connection, scope, kind, last, PAGE):
                last = page[-1].id
                for one in page:
                    write(_line(one))
                count += len(page)
                shown += page[: max(0, SHOWN - len(shown))]
    if not count:
        console.print("nothing differs, as last compared", markup=False)
        return
    console.print(_listed(shown, now))
    if count > len(shown) and file is None:
        console.print(f"{count - len(shown)} more: `--csv FILE` writes all", markup=False)


def _line(one: Difference) -> tuple[object, ...]:
    what = (f"p{one.id}", one.scope, one.kind.value, one.key, one.member, one.ours, one.theirs)
    times = (one.first_seen_at.isoformat(), one.last_seen_at.isoformat())
    return (*what, one.cause.value, one.words, one.team.value, one.deed.value, one.tries, *times)


def _listed(shown: Sequence[Difference], now: datetime) -> Table:
    table = Table("item", "where", "key", "differs", "ours", "theirs", "why", "for", "done", title_justify="left")
    table.title = f"differences at {now:%Y-%m-%d %H:%M:%S} UTC"
    for one in shown:
        why = escape(f"{one.cause.value}: {one.words}" if one.words else one.cause.value)
        done = f"{one.deed.value} ({one.tries})" if one.tries else one.deed.value
        where, key, member = f"{one.scope}\n{one.kind.value}", escape(one.key), escape(one.member)
        ends = (escape(one.ours), escape(one.theirs))
        table.add_row(f"p{one.id}", where, key, member, *ends, why, age(now, one.first_seen_at), done)
    return table


@contextlib.contextmanager
def _rows(file: Path | None, columns: Sequence[str]) -> Iterator[Callable[[Sequence[object]], None]]:
    """Writes rows as CSV."""
    if file is None:
        yield lambda _cells: None
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            written = csv.writer(out)
            written.writerow(columns)
            yield lambda cells: written.writerow([guarded(str(cell)) for cell in cells])
    except OSError as exc:
        raise SettingsError(f"{file} can't be written: {exc.strerror}") from None
