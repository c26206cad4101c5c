"""`orders accept`, `refuse`, `hold`, `release`, `retry`: people step in, by name and with a reason (business rule 20).

Whoever changes what is decided holds the order for that moment, so that no worker acts on what was true before it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime

import anyio
from rich.console import Console
from rich.markup import escape

from app.clock import monotonic
from app.commands.context import configuration, database_of
from app.domain.ids import OrderId
from app.domain.orders import OrderState
from app.domain.progress import Choice, Outcome, Record
from app.flows.orders import CODE, step_policy
from app.policies.order_steps import ACCEPTED_STATES, is_foreign
from app.settings import SettingsError
from app.store import orders, outbox
from app.store.census import held_keys
from app.store.effects import audit, open_effect
from app.store.pool import Connection, Database, Transaction
from app.supervisor import Configuration

UNDECIDED = (OrderState.STAGING, OrderState.WAITING_ACCEPTANCE)
BUSY_SECONDS = 15.0
"""Real seconds to wait for a worker that has the order."""
MOST_KEYS = 100_000


class DeclinedError(Exception):
    """What was asked for can't be done to this order; the message says why."""


# ------------------------------------------------------------------------------------------------ finding an order


def known_channel(told: Configuration, channel: str) -> str:
    """The channel's id, as given. Raises SettingsError."""
    if channel not in told.channels.by_id():
        raise SettingsError(f"there is no channel {channel}; there are {', '.join(sorted(told.channels.by_id()))}")
    return channel


async def find_orders(
    connection: Connection, told: Configuration, name: str, channel: str | None
) -> list[tuple[str, OrderId]]:
    """(channel, order id) of what a name means: a Mirakl id, a commercial id, a Centra number. Raises DeclinedError."""
    channels = list(told.channels.by_id()) if channel is None else [known_channel(told, channel)]
    found = [place for place in await orders.find(connection, channels, name) if place[0] in channels]
    if not found:
        raise DeclinedError(f"nobody knows the order {name}: give a whole id of the marketplace, or a Centra number")
    return found


async def one_order(
    database: Database, told: Configuration, name: str, channel: str | None
) -> tuple[str, OrderId, Record]:
    """The channel, the id and the record of the one order that a name means. Raises DeclinedError."""
    async with database.desk.acquire() as connection:
        found = await find_orders(connection, told, name, channel)
        if len(found) > 1:
            places = ", ".join(f"{order_id} on {scope}" for scope, order_id in found)
            raise DeclinedError(f"{name} means several orders: {places}; name one of them, with --channel if need be")
        scope, order_id = found[0]
        record = await orders.read(connection, scope, order_id)
    assert record is not None
    return scope, order_id, record


# ---------------------------------------------------------------------------------------------- holding, letting go


async def _hold(database: Database, scope: str, order_id: str, reason: str) -> None:
    ends_at = monotonic() + BUSY_SECONDS
    while not await orders.hold(database, scope, order_id, reason):
        if monotonic() > ends_at:
            await _let_go(database, scope, order_id)
            raise DeclinedError(f"{order_id} is being worked right now: say it again in a moment")
        await anyio.sleep(0.1)


async def _let_go(database: Database, scope: str, order_id: str) -> bool:
    """Both flows look at the order now; whether anything held it."""
    released = [flow for flow in sorted(orders.RANKS) if await outbox.release(database, scope, flow, [order_id])]
    return bool(released)


@contextlib.asynccontextmanager
async def _alone(database: Database, scope: str, order_id: str, who: str) -> AsyncIterator[None]:
    """Nobody works on the order inside the block; after it, both flows look at it anew."""
    await _hold(database, scope, order_id, f"{who} is deciding about it")
    try:
        yield
    finally:
        await _let_go(database, scope, order_id)


async def hold(console: Console, name: str, *, channel: str | None, who: str, why: str) -> None:
    """Nothing happens to an order until somebody releases it."""
    told = configuration()
    async with database_of(told) as database:
        scope, order_id, record = await one_order(database, told, name, channel)
        if record.outcome is not None:
            raise DeclinedError(f"{order_id} has ended, {record.outcome}: there is nothing left to hold")
        await _hold(database, scope, order_id, f"{who}: {why}")
        async with database.desk.acquire() as connection:
            await audit(connection, scope, who, f"order:{order_id}", None, "held", why)
        console.print(f"{order_id} on {scope} is held until `orders release {order_id}`", markup=False)
        if record.order.state in UNDECIDED and record.accepted_at is None:
            console.print(f"the marketplace does not wait: accept by {_at(record.accept_by)}")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


# -------------------------------------------------------------------------------------------------------- deciding


async def decide(console: Console, name: str, choice: Choice, *, channel: str | None, who: str, why: str) -> None:
    """Accept or refuse a whole order, whatever the policies would say. Raises DeclinedError."""
    told = configuration()
    async with database_of(told) as database:
        scope, order_id, _ = await one_order(database, told, name, channel)
        await _undecided(database, scope, order_id)
        async with _alone(database, scope, order_id, who):
            record = await _undecided(database, scope, order_id)

            async def steps(tx: Transaction) -> None:
                await orders.choose(tx.connection, scope, order_id, choice)
                if record.accept_sent_at is not None:  # Mirakl did not take what was sent: it is decided anew
                    await orders.decide(tx.connection, scope, order_id, None)
                await _begin_again(tx, scope, record)
                before = record.choice.value if record.choice else None
                await audit(tx.connection, scope, who, f"order:{order_id}", before, choice.value, why)
                tx.mark(orders.marks_of(scope, order_id, orders.URGENT))

            await database.transact(steps)
        console.print(f"{order_id} on {scope}: {choice.value} is decided, and goes to the marketplace", markup=False)
        if not told.channels.by_id()[scope].orders.acts:
            console.print(f"[yellow]but nothing is sent:[/] orders of {scope} are not switched on in the channel file")
        if choice is Choice.ACCEPT and (missing := _not_in_centra(record)):
            console.print(f"[yellow]add by hand[/] to {record.number} in Centra: {escape(', '.join(missing))}")


async def _undecided(database: Database, scope: str, order_id: str) -> Record:
    """The order as it is now, as long as a person may decide about it. Raises DeclinedError."""
    async with database.desk.acquire() as connection:
        record = await orders.read(connection, scope, order_id)
    assert record is not None
    state = record.order.state
    if not record.order.ours:
        raise DeclinedError(f"{order_id} is shipped by the marketplace itself, so it is not ours to decide")
    if record.accepted_at is not None:
        decided = "accepted" if record.decided is None or record.decided.accepted_lines else "refused"
        raise DeclinedError(f"{order_id} was {decided} already, by {record.accepted_by}, at {_at(record.accepted_at)}")
    if record.outcome not in (None, Outcome.RECORDED):
        raise DeclinedError(f"{order_id} has ended, {record.outcome}: the marketplace takes no decision any more")
    if state not in UNDECIDED:
        raise DeclinedError(f"{order_id} is {state} at the marketplace, which takes no decision any more")
    if await open_effect(database, scope, order_id, CODE) is not None:
        raise DeclinedError(
            f"the answer to our decision about {order_id} was lost, and the order is being read again:"
            f" look at `orders show {order_id}` in a minute"
        )
    return record


async def _begin_again(tx: Transaction, scope: str, record: Record) -> None:
    """An order that was only recorded goes on after all."""
    if record.outcome is Outcome.RECORDED:
        await orders.ended(tx.connection, scope, record.order.order_id, None)


def _not_in_centra(record: Record) -> list[str]:
    """SKUs of lines that an order's Centra order was made without."""
    if record.entry is None:
        return []
    there = {line.line_id for line in record.entry.lines}
    return [line.sku for line in record.order.live_lines if line.line_id not in there]


# --------------------------------------------------------------------------------------------- releasing, retrying


async def release(console: Console, name: str, *, channel: str | None, who: str, why: str) -> None:
    """Let a held order go: as it is, where something was found; into Centra, where somebody else accepted it."""
    told = configuration()
    async with database_of(told) as database:
        scope, order_id, record = await one_order(database, told, name, channel)
        async with database.desk.acquire() as connection:
            keys = await orders.keys_of(connection, scope, order_id)
        imports = _waits_for_import(told, scope, record)
        if not imports and record.problem is None and not any(key["state"] == "held" for key in keys.values()):
            raise DeclinedError(f"nothing holds {order_id}: see `orders show {order_id}`")
        async with _alone(database, scope, order_id, who):

            async def steps(tx: Transaction) -> None:
                await orders.settle_problem(tx.connection, scope, order_id)
                if imports:
                    await orders.choose(tx.connection, scope, order_id, Choice.IMPORT)
                    await _begin_again(tx, scope, record)
                to = "released into Centra" if imports else "released"
                await audit(tx.connection, scope, who, f"order:{order_id}", record.problem or "held", to, why)
                tx.mark(orders.marks_of(scope, order_id, orders.URGENT))

            await database.transact(steps)
        console.print(f"{order_id} on {scope} is released{', and goes into Centra' if imports else ''}", markup=False)


def _waits_for_import(told: Configuration, scope: str, record: Record) -> bool:
    """Whether a release brings it into Centra: somebody else accepted it, or it was recorded and is alive."""
    if record.outcome is Outcome.RECORDED:
        return record.order.ours and record.order.state in ACCEPTED_STATES
    return record.outcome is None and is_foreign(record, step_policy(told.channels.by_id()[scope]))


async def retry(
    console: Console, name: str | None, *, all_held: str | None, channel: str | None, who: str, why: str
) -> None:
    """Both flows look again at an order, or at all that are held on a channel; what people hold stays."""
    if (name is None) == (all_held is None):
        raise SettingsError("name the order to retry, or say --all-held CHANNEL (not both)")
    told = configuration()
    async with database_of(told) as database:
        if name is not None:
            scope, order_id, _ = await one_order(database, told, name, channel)
            await _retried(database, scope, {order_id}, who, why)
            await _let_go(database, scope, order_id)
            console.print(f"{order_id} on {scope} is looked at again now", markup=False)
            return
        scope = known_channel(told, all_held or "")
        held = [key for key in await held_keys(database, scope, MOST_KEYS) if key.flow in orders.RANKS]
        ids = {key.key for key in held if not key.firm} - {key.key for key in held if key.firm}
        await _retried(database, scope, ids, who, why)
        for flow in sorted(orders.RANKS):
            await outbox.release(database, scope, flow, sorted(ids))
        console.print(f"{len(ids)} orders of {scope} are looked at again now")
        if kept := sorted({key.key for key in held if key.firm}):
            console.print(f"held until `orders release`: {', '.join(kept)}", markup=False)


async def _retried(database: Database, scope: str, ids: set[str], who: str, why: str) -> None:
    async def steps(tx: Transaction) -> None:
        for order_id in sorted(ids):
            await audit(tx.connection, scope, who, f"order:{order_id}", "held", "ready", why)
            tx.mark(orders.marks_of(scope, order_id))

    await database.transact(steps)
