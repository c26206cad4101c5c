"""Both ends of a channel are compared, on a schedule and when a person asks: what every other flow missed is found.

A key is a walk, which compares several kinds with one reading: `offers` (stock, prices and offers against the live
offers as last read back), `orders` (orders and what follows a sale, against the last export and against Centra, which
is read page by page), `returns` (of the marketplace) and `reference` (carriers, reasons and values against the mirrored
lists). How far a walk has come is a cursor, so it goes on where it was.

What differs is written down with its cause. A flow that can mend it is given its key again, so often at most; what no
flow mends becomes held work of the team that owns it. What a later walk does not find is gone. Nothing is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

import msgspec

from app.domain.ids import Scope
from app.domain.parity import NEW, UNREAD, Cause, Deed, Found, Kind
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.flows.comparing import offers as live
from app.flows.comparing import reference, returns, sales
from app.flows.comparing.causes import Seen, Step, Stopped, Unread
from app.flows.publishing import ready
from app.policies.parity import ParityPolicy, counts, deed
from app.settings import Channel, Channels
from app.store import intents, mirrors, offers, orders, parity, publications
from app.store.marks import Mark
from app.store.orders import ORDER_ENTRY
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.parity import PARITY
from app.store.pool import Connection, Transaction
from app.telemetry.logs import log

FIRST_SECONDS = 21_600.0
UNREAD_SECONDS = 600.0
BACKGROUND = 2


class Walk(StrEnum):
    """What one reading compares."""

    OFFERS = "offers"
    ORDERS = "orders"
    RETURNS = "returns"
    REFERENCE = "reference"

    def kinds(self, channel: Channel) -> tuple[Kind, ...]:
        """The kinds that it compares on a channel."""
        match self:
            case Walk.OFFERS:
                return live.kinds_of(channel)
            case Walk.ORDERS:
                return sales.kinds_of(channel)
            case Walk.RETURNS:
                return returns.kinds_of(channel)
            case Walk.REFERENCE:
                return reference.kinds_of(channel)


class Progress(msgspec.Struct, frozen=True):
    """How far a walk has come. `counts`: compared, differing and on their way, by kind; `as_of`: of when the copy is
    that it goes by.
    """

    began_at: datetime
    as_of: datetime
    step: str = ""
    place: tuple[str, str] = ("", "")
    counts: dict[str, tuple[int, int, int]] = {}


def cursor_of(walk: str) -> str:
    """The cursor of a walk; there is none between two walks."""
    return f"parity.{walk}"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Take a walk from where it is to its end."""
    claim = turn.claims[0]
    services, channel = turn.services, turn.services.channel(turn.scope)
    if claim.key not in list(Walk) or not Walk(claim.key).kinds(channel):
        return {}
    walk = Walk(claim.key)
    async with services.database.work.acquire() as connection:
        progress = await mirrors.read_cursor(connection, turn.scope, cursor_of(walk), Progress)
        try:
            progress = progress or await _begin(connection, turn, walk)
        except ready.UnreadError as exc:
            return {claim: Waiting(services.clock.after(UNREAD_SECONDS), str(exc))}
    async with contextlib.aclosing(_steps(turn, walk, progress)) as steps:
        async for step in steps:
            match step:
                case Stopped(failure, scope):
                    return {claim: after_failure(failure, claim, services.clock, services.pauses, scope)}
                case Unread(words):
                    return {claim: Waiting(services.clock.after(UNREAD_SECONDS), words)}
                case Seen():
                    progress = await _write_down(turn, walk, progress, step)
            if not turn.still_ours:
                await turn.extend()
    await services.database.transact(lambda tx: _end(tx, turn, walk, progress))
    return {claim: Settled(services.clock.after(channel.parity.every_seconds))}


async def _begin(connection: Connection, turn: Pass, walk: Walk) -> Progress:
    """Raises UnreadError."""
    now = turn.services.clock.now()
    match walk:
        case Walk.OFFERS:
            return Progress(now, await ready.live_at(connection, turn.scope))
        case Walk.ORDERS:
            return Progress(now, await sales.as_of(connection, turn.scope) or now)
        case Walk.RETURNS:
            return Progress(now, now)
        case Walk.REFERENCE:
            return Progress(now, await reference.as_of(connection, turn.scope) or now)


def _steps(turn: Pass, walk: Walk, progress: Progress) -> AsyncGenerator[Step, None]:
    match walk:
        case Walk.OFFERS:
            return live.walk(turn, progress.place, progress.as_of)
        case Walk.ORDERS:
            return sales.walk(turn, progress.step, progress.place, progress.began_at)
        case Walk.RETURNS:
            return returns.walk(turn, progress.place[0] or None, progress.began_at)
        case Walk.REFERENCE:
            return reference.walk(turn)


# ----------------------------------------------------------------------------------------------------------- writing


async def _write_down(turn: Pass, walk: Walk, progress: Progress, seen: Seen) -> Progress:
    """Write down what a page has shown, and have mended what can be."""
    settings, now = turn.services.channel(turn.scope).parity, turn.services.clock.now()
    policy = ParityPolicy(settings.tries, timedelta(seconds=settings.on_its_way_seconds))
    as_of = progress.as_of if walk is Walk.OFFERS else progress.began_at  # the others read Centra, and our own rows
    by_kind = {kind: list(found) for kind, found in groupby(sorted(_each_once(seen.found), key=_kind), key=_kind)}

    async def steps(tx: Transaction) -> Progress:
        counted = dict(progress.counts)
        for kind in {*seen.compared, *by_kind}:
            found = by_kind.get(kind, [])
            known = await parity.before(tx.connection, turn.scope, found)
            done = [(one, deed(one, known.get((one.key, one.member), NEW), as_of, policy)) for one in found]
            await parity.write(tx.connection, turn.scope, done, progress.began_at, now)
            tx.mark(await _mend(tx.connection, turn, [one for one, what in done if what is Deed.MENDED]))
            differing = sum(counts(one, what, now, policy) for one, what in done)
            on_its_way = sum(one.cause is Cause.ON_ITS_WAY for one in found)
            was = counted.get(kind, (0, 0, 0))
            counted[kind.value] = (was[0] + seen.compared[kind], was[1] + differing, was[2] + on_its_way)
        moved = Progress(progress.began_at, progress.as_of, seen.step, seen.place, counted)
        await mirrors.write_cursor(tx.connection, turn.scope, cursor_of(walk), moved)
        return moved

    return await turn.services.database.transact(steps)


def _kind(found: Found) -> Kind:
    return found.kind


def _each_once(found: Iterable[Found]) -> Iterable[Found]:
    """A difference is named by kind, key and member; what is said twice is said once."""
    return {(one.kind, one.key, one.member): one for one in found}.values()


async def _mend(connection: Connection, turn: Pass, found: Iterable[Found]) -> list[Mark]:
    """Marks for the flows that mend these, after everything more urgent."""
    keys: dict[str, list[str]] = {}
    for one in found:
        if one.mend is not None:
            keys.setdefault(one.mend, []).append(one.key)
    marks: list[Mark] = []
    for flow, of_flow in keys.items():
        marks += await _again(connection, turn.scope, flow, sorted(set(of_flow)))
    return marks


async def _again(connection: Connection, scope: str, flow: str, keys: list[str]) -> list[Mark]:
    """What a flow needs to do its work on these keys once more."""
    if flow == offers.STOCK:
        return await offers.push_again(connection, scope, keys, priority=BACKGROUND)
    if flow in (Kind.OFFERS, Kind.PRICES):
        marks = await publications.push_again(connection, scope, keys, kind=publications.Kind(flow))
        return [replace(mark, priority=BACKGROUND) for mark in marks]
    if flow == ORDER_ENTRY:  # which reads an order back that Centra is said to have changed
        numbers = await orders.centra_numbers(connection, scope, keys)
        await orders.centra_changed(connection, list(numbers.values()))
    if flow in orders.RANKS:
        return [orders.mark_of(scope, flow, key) for key in keys]
    kind = {kind.flow: kind for kind in intents.Kind}.get(flow)
    return [Mark(scope, flow, key) if kind is None else intents.mark_of(scope, kind, key) for key in keys]


async def _end(tx: Transaction, turn: Pass, walk: Walk, progress: Progress) -> None:
    """What was not seen any more is gone; the figures of the whole walk stand."""
    scope = turn.scope
    kinds = walk.kinds(turn.services.channel(scope))
    noticed = await parity.close(tx.connection, scope, kinds, progress.began_at, UNREAD)
    for kind in kinds:
        compared, differing, on_its_way = progress.counts.get(kind.value, (0, 0, 0))
        more = noticed.get(kind, 0)  # what an export told since the walk before
        figures = (compared + more, differing + more, on_its_way)
        await parity.write_run(tx.connection, scope, kind, progress.began_at, progress.as_of, figures)
        log.info("compared", scope=scope, kind=kind.value, count=figures[0], keys=figures[1])
    await mirrors.write_cursor(tx.connection, scope, cursor_of(walk), None)


def _keys(settings: Channels, scope: Scope) -> Mapping[str, float]:
    channel = settings.by_id()[scope]
    return {walk.value: FIRST_SECONDS for walk in Walk if walk.kinds(channel)}


FLOW = Flow(
    name=PARITY,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=4,
    on=lambda settings, scope: settings.by_id()[scope].parity.on,
    keys=_keys,
)
