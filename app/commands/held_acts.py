"""`held retry`, `resolve`, `decide`: a person ends a hold, by name and with a reason. Who comes second is told who did.

An act is one transaction: the item is locked and still held, no worker has its key, and the audit's row is written with
the change.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import anyio
import msgspec
from rich.console import Console
from rich.markup import escape

from app.clock import monotonic
from app.commands.context import configuration, database_of
from app.commands.orders import BUSY_SECONDS, DeclinedError
from app.domain.after_sale import Advice, Announced, Given
from app.domain.parity import Deed
from app.flows import all_flows, documents, shipments
from app.flows.after_sale import centra_return
from app.flows.after_sale.money import MONEY, given_since
from app.settings import SettingsError
from app.store import audits, held, intents, orders, parity, returns
from app.store.effects import EffectState, OneDoubt, audit, decide_held, doubt_of
from app.store.intents import ORDER_FOLLOW, Intent, Kind, State
from app.store.marks import Mark
from app.store.pool import Connection, Database, Transaction

DOUBTS: Mapping[Kind, str] = {
    Kind.REFUND: MONEY,
    Kind.CANCELLATION: MONEY,
    Kind.SHIPMENT: shipments.DOUBT,
    Kind.CREDIT: centra_return.DOUBT,
    Kind.DOCUMENT: documents.DOUBT,
}
"""What may be in doubt about a fact."""
SERVICE = ("service", *(flow.name for flow in all_flows()))
"""Actors in the audit that are no people."""


class Decision(StrEnum):
    """What a person found out about a call whose answer was lost."""

    APPLIED = "applied"
    NOT_APPLIED = "not-applied"


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something about an item, and why."""

    item: str
    who: str
    why: str


class _BusyError(Exception):
    """A worker has the item's key right now."""


@dataclass(frozen=True, slots=True)
class OneReturn:
    scope: str
    return_id: str


@dataclass(frozen=True, slots=True)
class OneKey:
    scope: str
    flow: str
    key: str


@dataclass(frozen=True, slots=True)
class OneDifference:
    number: int


Place = int | OneReturn | OneKey | OneDifference
"""What an item's name means: an intent by its id, a return, a key, or a difference between both ends."""
Step = Callable[[Transaction, Act, Place], Awaitable[str]]
"""Does it, and says what was done."""


def place_of(item: str) -> Place:
    """What a name means. Raises SettingsError, or DeclinedError for what is ended elsewhere."""
    if re.fullmatch(r"i\d{1,18}", item):
        return int(item[1:])
    if re.fullmatch(r"p\d{1,18}", item):
        return OneDifference(int(item[1:]))
    match item.split(":", 3):
        case ["r", scope, *rest] if rest:
            return OneReturn(scope, ":".join(rest))
        case ["o", scope, flow, key]:
            return OneKey(scope, flow, key)
        case ["s", scope, kind, _]:
            raise DeclinedError(
                f"{item} stands for differences of money: `settlement open {scope} --kind {kind}` lists them,"
                " `settlement explain` or `settlement accept` ends each"
            )
        case _:
            pass
    raise SettingsError(f"{item} is not the name of an item: `held list` names them, as i17 or o:CHANNEL:FLOW:KEY")


async def retry(console: Console, item: str, *, alike: bool, who: str, why: str) -> None:
    """Let it go, past the channel's policy; `alike`: everything with the same cause."""
    await _act(console, Act(item, who, why), _retry, alike=alike)


async def resolve(console: Console, item: str, *, alike: bool, who: str, why: str) -> None:
    """It was done by hand."""
    await _act(console, Act(item, who, why), _resolve, alike=alike)


async def decide(console: Console, item: str, decision: Decision, *, who: str, why: str) -> None:
    """Whether a call was applied whose answer was lost."""

    async def step(tx: Transaction, act: Act, place: Place) -> str:
        return await _decide(tx, act, place, decision)

    await _act(console, Act(item, who, why), step)


async def _act(console: Console, act: Act, step: Step, *, alike: bool = False) -> None:
    place_of(act.item)
    async with database_of(configuration()) as database:
        if not alike:
            console.print(f"{act.item}: {await _done(database, act, step)}", markup=False)
            return
        for name in await _alike(database, act.item):
            try:
                console.print(f"{name}: {await _done(database, Act(name, act.who, act.why), step)}", markup=False)
            except DeclinedError as declined:  # the others go on
                console.print(f"[yellow]{escape(str(declined))}[/]")


async def _alike(database: Database, name: str) -> list[str]:
    async with database.desk.acquire() as connection:
        item = await held.one(connection, name)
        if item is None:
            raise DeclinedError(f"nothing is held as {name}: `held list` names what is")
        return await held.alike(connection, item)


async def _done(database: Database, act: Act, step: Step) -> str:
    """Do it once no worker has the item's key. Raises DeclinedError."""
    place, ends_at = place_of(act.item), monotonic() + BUSY_SECONDS
    while True:
        try:
            return await database.transact(lambda tx: step(tx, act, place))
        except _BusyError:
            if monotonic() > ends_at:
                raise DeclinedError(f"{act.item} is being worked right now: say it again in a moment") from None
            await anyio.sleep(0.1)


# ------------------------------------------------------------------------------------------------------- the three


async def _retry(tx: Transaction, act: Act, place: Place) -> str:
    match place:
        case int():
            intent = await _intent(tx.connection, act, place)
            if intent.advice is Advice.DECIDE:
                raise DeclinedError(f"{act.item} may have been done: say which, `held decide {act.item}`")
            tx.mark(await intents.reopen(tx.connection, intent.id, act.why, by=act.who))
            return "it is tried again now"
        case OneReturn(scope, return_id):
            order_id = await _return(tx.connection, act, place)
            await returns.approve(tx.connection, scope, return_id, act.who, act.why)
            tx.mark([intents.mark_of(scope, Kind.RETURN, order_id)])
            return "it goes on now"
        case OneKey(scope, flow, key):
            if not await held.release(tx.connection, scope, flow, key):
                raise await _too_late(tx.connection, act, scope, _subject(place), "held", None)
            await audit(tx.connection, scope, act.who, _subject(place), "held", "ready", act.why)
            return "it is due now"
        case OneDifference(number):
            await _difference(tx, act, number, Deed.NOTHING)
            return "it is mended again where a flow can, at the next comparison (`parity run`)"


async def _resolve(tx: Transaction, act: Act, place: Place) -> str:
    match place:
        case int():
            intent = await _intent(tx.connection, act, place)
            kind = DOUBTS.get(intent.kind)
            doubt = await doubt_of(tx.connection, intent.scope, intent.order_id, kind) if kind else None
            if intent.advice is Advice.DECIDE or (doubt is not None and doubt.intent == intent.id):
                raise DeclinedError(
                    f"{act.item} may have been done by the service: `held show {act.item}`, then `held decide`"
                )
            await _ended(tx, intent, None, f"by hand: {act.why}", act.who)
        case OneReturn(scope, return_id):
            order_id = await _return(tx.connection, act, place)
            await returns.end(tx.connection, scope, return_id, f"by hand: {act.why}", act.who)
            tx.mark(await intents.marks(tx.connection, scope, [order_id], but=Kind.RETURN))
        case OneDifference(number):
            await _difference(tx, act, number, Deed.RESOLVED)
            return "it may stay so, until either end changes"
        case OneKey():
            raise DeclinedError(
                f"{act.item} is worked from the present state, so it can't be ended by a note:"
                f" mend the cause, then `held retry {act.item}`"
            )
    return "it counts as done by hand"


async def _decide(tx: Transaction, act: Act, place: Place, decision: Decision) -> str:
    if not isinstance(place, int):
        raise DeclinedError(f"nothing about {act.item} is to be decided: look at `held show {act.item}`")
    intent = await _intent(tx.connection, act, place)
    kind = DOUBTS.get(intent.kind)
    doubt = await doubt_of(tx.connection, intent.scope, intent.order_id, kind) if kind else None
    if doubt is None or doubt.intent != intent.id or not doubt.held:
        raise DeclinedError(f"nothing about {act.item} is to be decided: look at `held show {act.item}`")
    applied = decision is Decision.APPLIED
    state = EffectState.APPLIED if applied else EffectState.NOT_APPLIED
    await decide_held(tx.connection, doubt.id, state, act.who, act.why)
    tx.mark([Mark(intent.scope, ORDER_FOLLOW, intent.order_id)])  # what it did not make is the marketplace's own
    if not applied:
        words = f"decided as not applied: {act.why}"
        tx.mark(await intents.reopen(tx.connection, intent.id, words, by=act.who))
        return f"{doubt.code} counts as not applied, and is sent anew"
    await _ended(tx, intent, await _told(tx.connection, intent, doubt), f"decided as applied: {act.why}", act.who)
    return f"{doubt.code} counts as applied"


async def _told(connection: Connection, intent: Intent, doubt: OneDoubt) -> object:
    """What a call made, as far as the order shows it."""
    if intent.kind is Kind.SHIPMENT:
        return msgspec.json.decode(doubt.snapshot, type=Announced)
    if DOUBTS[intent.kind] != MONEY:
        return None
    record = await orders.read(connection, intent.scope, intent.order_id)
    assert record is not None
    return (*(intent.answer(tuple[Given, ...]) or ()), given_since(record.order, doubt))


async def _ended(tx: Transaction, intent: Intent, told: object, words: str, who: str) -> None:
    await intents.done(tx.connection, intent, told, words, who)
    tx.mark(await intents.marks(tx.connection, intent.scope, [intent.order_id], but=intent.kind))


# ------------------------------------------------------------------------------------- what is held, and by nobody else


async def _intent(connection: Connection, act: Act, number: int) -> Intent:
    """The held intent, locked. Raises DeclinedError with who dealt with it before, or _BusyError."""
    intent = await intents.lock(connection, number)
    if intent is None:
        raise DeclinedError(f"nobody knows {act.item}: `held list` names what is held")
    if intent.state is not State.HELD:
        part = f"{intent.kind} {intent.source_id}"
        raise await _too_late(connection, act, intent.scope, f"order:{intent.order_id}", part, None)
    await _idle(connection, intent.scope, intent.kind.flow, intent.order_id)
    return intent


async def _return(connection: Connection, act: Act, place: OneReturn) -> str:
    """The order id of the held return, which is locked. Raises as `_intent`."""
    found = await returns.lock(connection, place.scope, place.return_id)
    if found is None:
        raise DeclinedError(f"nobody knows {act.item}: `held list` names what is held")
    if not found.is_held:
        part = f"return {place.return_id}"
        raise await _too_late(connection, act, place.scope, f"order:{found.order_id}", part, f"{part} let go")
    await _idle(connection, place.scope, Kind.RETURN.flow, found.order_id)
    return found.order_id


async def _difference(tx: Transaction, act: Act, number: int, deed: Deed) -> None:
    """A held difference is let be, or mended again. Raises DeclinedError with who dealt with it before."""
    found = await parity.lock(tx.connection, number)
    if found is None:
        raise DeclinedError(f"nobody knows {act.item}: `held list` names what is held")
    if not found.is_held:
        raise await _too_late(tx.connection, act, found.scope, found.subject, "held", None)
    await parity.settle(tx.connection, number, deed, act.who, act.why)


async def _idle(connection: Connection, scope: str, flow: str, key: str) -> None:
    if await held.is_worked(connection, scope, flow, key):
        raise _BusyError


def _subject(place: OneKey) -> str:
    return f"order:{place.key}" if place.flow in orders.RANKS else f"{place.flow}:{place.key}"


async def _too_late(
    connection: Connection, act: Act, scope: str, subject: str, part: str, to_state: str | None
) -> DeclinedError:
    """Why an item takes no act any more: who dealt with it, and when."""
    last = await audits.last_act(connection, scope, subject, part, to_state, SERVICE)
    if last is None:
        return DeclinedError(f"{act.item} does not wait for a person: see `held list`")
    words = f": {last.detail}" if last.detail else ""
    return DeclinedError(
        f"{last.actor} dealt with {act.item} at {last.at:%Y-%m-%d %H:%M:%S} UTC ({last.to_state}{words});"
        " it does not wait for a person any more"
    )
