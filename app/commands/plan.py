"""`plan` and `apply`: what would change on a channel against its live offers as last read, and letting exactly that go.

A plan calls nothing. It is stored with its number: what `apply` approves is what the person saw, and nothing that has
changed since.
"""

from __future__ import annotations

import contextlib
import csv
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from app.commands.context import Exit, configuration, database_of
from app.commands.orders import DeclinedError, known_channel
from app.commands.status import age
from app.flows.publishing import ready
from app.flows.publishing.preview import Action, Line, Page, pages
from app.policies.carriers import guarded
from app.settings import Channel, SettingsError
from app.store import plans
from app.store.effects import audit
from app.store.marks import Mark
from app.store.offers import STOCK
from app.store.pool import Database, Transaction
from app.store.time import read_clock

LARGEST_MOVES = 10
SAMPLES = 3
APPLIED_AT_ONCE = 1_000
NAMED = 20
COLUMNS = ("channel", "kind", "action", "key", "member", "wanted", "live", "at_stake", "currency", "why")
ORDER = ("products", "offers", "prices", STOCK)


@dataclass(slots=True)
class Totals:
    """What was found so far."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    members: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    moves: list[tuple[Decimal, str, str, str]] = field(default_factory=list)
    stakes: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    at_stake: Decimal = Decimal(0)
    asks: int = 0
    skus: int = 0

    def add(self, page: Page) -> None:
        """Count a page."""
        self.skus += page.skus
        self.same += page.same
        self.at_stake += sum(page.stakes.values(), Decimal(0))
        for line in page.lines:
            place = (line.kind, line.action.value)
            self.counts[place] += 1
            self.asks += line.asks
            self.members.update((line.kind, member) for member in line.members)
            if line.digest is not None or line.action is Action.LEAVE:
                self.stakes[line.kind] += page.stakes.get(line.key, Decimal(0))
            if len(self.samples[place]) < SAMPLES:
                self.samples[place].append(line.key)
            if line.share:
                move = (line.share, line.key, line.ours, line.theirs)
                keep = heapq.heappush if len(self.moves) < LARGEST_MOVES else heapq.heappushpop
                keep(self.moves, move)

    @property
    def summary(self) -> dict[str, object]:
        """As it is stored."""
        return {
            "counts": {f"{kind}.{action}": count for (kind, action), count in sorted(self.counts.items())},
            "same": dict(self.same),
            "members": {f"{kind}.{member}": count for (kind, member), count in sorted(self.members.items())},
            "asks": self.asks,
            "at_stake": str(self.at_stake),
        }


# -------------------------------------------------------------------------------------------------------------- plan


async def plan(console: Console, errors: Console, channel: str, file: Path | None, *, who: str) -> Exit:
    """Print what would change, and store it. Raises DeclinedError while something was never read."""
    told = configuration()
    scope = known_channel(told, channel)
    settings = told.channels.by_id()[scope]
    async with database_of(told) as database, database.desk.acquire() as connection:
        now = (await read_clock(connection)).rate.app_at
        try:
            live_at = await ready.live_at(connection, scope)
            around = await ready.around(connection, settings, told.channels.centra.id, now)
        except ready.UnreadError as exc:
            raise DeclinedError(str(exc)) from None
        number = await plans.open_plan(connection, scope, who, live_at)
        count = await plans.count_products(connection, around.source)
        found = Totals()
        with _rows(file, settings) as write, _progress(errors) as progress:
            task = progress.add_task("products", total=count if settings.publishes else None)
            async for page in pages(connection, around):
                found.add(page)
                lines = [plans.Line(one.kind, one.key, one.digest) for one in page.lines if one.digest is not None]
                await plans.add(connection, number, lines)
                for line in page.lines:
                    write(line, page)
                progress.advance(task, page.products)
        await plans.close(connection, number, found.summary)
    _show(console, settings, found, number)
    console.print(f"live offers as of {live_at:%Y-%m-%d %H:%M:%S} UTC, {age(now, live_at)} ago", markup=False)
    if file is not None:
        console.print(f"every line is in {file}", markup=False)
    return Exit.DIFFERENCES if found.counts else Exit.DONE


def _progress(errors: Console) -> Progress:
    return Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


@contextlib.contextmanager
def _rows(file: Path | None, channel: Channel) -> Iterator[Callable[[Line, Page], None]]:
    """Writes lines as CSV."""
    if file is None:
        yield lambda _line, _page: None
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            written = csv.writer(out)
            written.writerow(COLUMNS)

            def write(line: Line, page: Page) -> None:
                stake = page.stakes.get(line.key) if line.action is not Action.HELD else None
                cells = (channel.id, line.kind, line.action.value, line.key, line.member, line.ours, line.theirs)
                money = ("", "") if stake is None else (str(stake), channel.currency)
                written.writerow([guarded(cell) for cell in (*cells, *money, "; ".join(line.reasons))])

            yield write
    except OSError as exc:
        raise SettingsError(f"{file} can't be written: {exc.strerror}") from None


def _show(console: Console, channel: Channel, found: Totals, number: int) -> None:
    table = Table("what", "would", "count", f"at stake ({channel.currency})", "such as", title_justify="left")
    table.title = f"plan {number}: {channel.id}, {found.skus} SKUs"
    for kind in ORDER:
        rows = [action for action in Action if found.counts[kind, action.value]]
        for place, action in enumerate(rows):
            samples = escape(", ".join(found.samples[kind, action.value]))
            stake = f"{found.stakes[kind]:,.2f}" if place == 0 else ""
            table.add_row(
                kind if place == 0 else "", action.value, str(found.counts[kind, action.value]), stake, samples
            )
        if found.same[kind]:
            table.add_row("" if rows else kind, "stay", str(found.same[kind]), "", "")
    console.print(table)
    if found.members:
        named = (f"{count} {kind} {member}" for (kind, member), count in found.members.most_common(NAMED))
        console.print("by member: " + ", ".join(named), markup=False)
    if found.asks:
        console.print(f"{found.asks} prices move further than the channel allows without asking", markup=False)
    if found.moves:
        moves = Table("SKU", "live", "wanted", "moves by", title="the largest moves of prices", title_justify="left")
        for share, sku, ours, theirs in sorted(found.moves, reverse=True):
            moves.add_row(escape(sku), theirs, ours, f"{share * 100:.0f} %")
        console.print(moves)
    console.print(f"at stake in all: {found.at_stake:,.2f} {channel.currency}", markup=False)
    if found.counts:
        console.print(f"let exactly this go: centra-mirakl apply {number}", markup=False)
    else:
        console.print(f"nothing would change; this is plan {number}", markup=False)


# ------------------------------------------------------------------------------------------------------------- apply


async def apply(console: Console, errors: Console, number: int, *, who: str, why: str) -> Exit:
    """Approve what a plan said, where it is wanted still. Raises DeclinedError for a plan that can't be applied."""
    told = configuration()
    async with database_of(told) as database:
        scope, settings, count = await _begin(database, told.channels.by_id(), number, who, why)
        approved, changed = Counter[str](), list[str]()
        after: plans.Line | None = None
        with _progress(errors) as progress:
            task = progress.add_task("keys", total=count)
            while lines := await _following(database, number, after):
                after = lines[-1]
                for kind in sorted({line.kind for line in lines}):
                    of_kind = [line for line in lines if line.kind == kind]
                    let_go = await database.transact(lambda tx: _let_go(tx, scope, number, kind, of_kind))  # noqa: B023 - awaited here
                    approved[kind] += len(let_go)
                    changed += [f"{kind} {line.key}" for line in of_kind if line.key not in let_go]
                progress.advance(task, len(lines))
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(approved.items()) if count) or "nothing"
    console.print(f"plan {number}: {done} of {scope} let go", markup=False)
    if settings.stock.dry_run and approved[STOCK]:
        console.print("stock leaves once `dry_run` is taken out of the channel's stock", markup=False)
    if changed:
        more = f", and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        console.print(f"changed since the plan, and not let go: {', '.join(changed[:NAMED])}{more}", markup=False)
    return Exit.DIFFERENCES if changed else Exit.DONE


async def _begin(
    database: Database, channels: Mapping[str, Channel], number: int, who: str, why: str
) -> tuple[str, Channel, int]:
    """Write down who applies it; who was cut short may say it again. Gives the channel and how many keys there are."""

    async def steps(tx: Transaction) -> tuple[str, int]:
        found = await plans.read(tx.connection, number)
        if found is None:
            raise DeclinedError(f"there is no plan {number}: `centra-mirakl plan CHANNEL` makes one")
        if not found.is_whole:
            raise DeclinedError(f"plan {number} was not made to its end: make a new one")
        if found.scope not in channels:
            raise SettingsError(f"plan {number} is of {found.scope}, which the channel file does not have any more")
        count = await plans.count_open(tx.connection, number)
        if await plans.apply(tx.connection, number, who, why):
            await audit(tx.connection, found.scope, who, f"plan:{number}", "made", "applied", why)
        elif not count:
            at = f"{found.applied_at:%Y-%m-%d %H:%M:%S} UTC"
            raise DeclinedError(f"{found.applied_by} applied plan {number} at {at} ({found.applied_why})")
        return found.scope, count

    scope, count = await database.transact(steps)
    return scope, channels[scope], count


async def _following(database: Database, number: int, after: plans.Line | None) -> list[plans.Line]:
    async with database.desk.acquire() as connection:
        return await plans.following(connection, number, after, APPLIED_AT_ONCE)


async def _let_go(tx: Transaction, scope: str, number: int, kind: str, lines: list[plans.Line]) -> set[str]:
    keys = await plans.approve(tx.connection, scope, kind, lines)
    if kind == STOCK:
        await plans.release_stock(tx.connection, scope, keys)
    else:
        tx.mark(Mark(scope, kind, key) for key in keys)
    await plans.decide(tx.connection, number, kind, [line.key for line in lines], keys)
    return set(keys)
