"""Centra orders that nobody wants, left by a lost answer, are found and cancelled. They were never placed.

A key is the number of an orphan, or a scan: once an hour, and ten minutes after every create that was given up, the
orders made lately are listed; one that bears our mark, is not placed, and is not the number that counts, is an orphan.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.centra.orders import OrderFound
from app.domain.ids import CentraNumber
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.store import orders
from app.store.effects import EffectClass, EffectState, audit, decide, open_effect, record, write_again
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Settled, Verdict
from app.store.pool import Connection, Transaction
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, Unknown

ORPHANS, SCAN = "orphans", "scan"
CODE = "OrderCancel"
EVERY_SECONDS = 3_600.0
LOOK_BACK = timedelta(hours=3)
SETTLED_AFTER = timedelta(minutes=5)
"""A number younger than this may belong to a create that is still under way."""


async def mark_orphan(
    connection: Connection, source: str, number: CentraNumber, channel: str, order_id: str
) -> list[Mark]:
    """Write an orphan down; gives the mark that has it cancelled."""
    await orders.note_number(connection, source, number, channel, order_id, "orphan")
    await audit(connection, channel, ORPHANS, f"order:{order_id}", None, "orphan", f"Centra order {number}")
    return [Mark(source, ORPHANS, str(number))]


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Look for orphans, or cancel one."""
    claim = turn.claims[0]
    return {claim: await (_scan(turn, claim) if claim.key.startswith(SCAN) else _cancel(turn, claim, int(claim.key)))}


def scan_later(source: str, order_id: str, due_at: datetime) -> list[Mark]:
    """Look once more at a time of its own, for what is applied later than anybody waits for it."""
    return [Mark(source, ORPHANS, f"{SCAN} after {order_id}", due_at=due_at)]


async def _cancel(turn: Pass, claim: Claim, number: int) -> Verdict:
    services = turn.services
    async with services.database.work.acquire() as connection:
        if number not in await orders.are_orphans(connection, turn.scope, [number]):
            return Settled()
    answer = await services.centra.read_orders([number])
    if not isinstance(answer, Applied):
        return _later(turn, claim, answer)
    if answer.value.unreadable or not answer.value.items:
        return _later(turn, claim, Unknown(f"Centra's order {number} can't be read"))
    order = answer.value.items[0]
    if order.status not in ("INCOMPLETE", "CANCELLED"):
        return Held(
            f"Centra order {number} should be an orphan, but is {order.status}: look before it ships", firm=True
        )
    if order.status != "CANCELLED":
        effect_id = await services.database.transact(
            lambda tx: write_again(tx.connection, turn.scope, ORPHANS, CODE, EffectClass.STATE, lane=claim.key)
        )
        outcome = await services.centra.cancel_order(
            order.id, "a duplicate that was never placed", effect_id=str(effect_id), usable_until=turn.usable_until
        )
        async with services.database.work.acquire() as connection:
            await record(connection, effect_id, outcome)
        if not isinstance(outcome, Applied):
            return _later(turn, claim, outcome)
    doubt = await open_effect(services.database, turn.scope, claim.key, CODE)
    async with services.database.work.acquire() as connection:
        if doubt is not None:
            await decide(connection, doubt.id, EffectState.APPLIED, "the order is cancelled")
        await orders.orphan_cancelled(connection, turn.scope, number)
    log.info("orphan_cancelled", scope=turn.scope, key=claim.key)
    return Settled()


def _later(turn: Pass, claim: Claim, failure: Failure) -> Verdict:
    return after_failure(failure, claim, turn.services.clock, turn.services.pauses, turn.scope)


async def _scan(turn: Pass, claim: Claim) -> Verdict:
    """List what was made lately, and compare it with what counts."""
    services, page, found = turn.services, 1, list[OrderFound]()
    now = services.clock.now()
    while True:
        answer = await services.centra.orders_created(now - LOOK_BACK, now, page)
        if not isinstance(answer, Applied):
            return _later(turn, claim, answer)
        found += [o for o in answer.value.orders.items if o.status == "INCOMPLETE" and mark_of(o) is not None]
        if answer.value.is_last:
            break
        page += 1
        if not turn.still_ours:
            await turn.extend()
    old = [order for order in found if order.created_at < now - SETTLED_AFTER]

    async def steps(tx: Transaction) -> int:
        count = 0
        for order in old:
            channel, order_id = mark_of(order) or ("", "")
            ours = await orders.read(tx.connection, channel, order_id)
            if ours is None or order.number in (ours.number, *ours.parts):
                continue
            if ours.number is None and ours.outcome is None:
                continue  # it may be adopted yet
            number = CentraNumber(order.number)
            tx.mark(await mark_orphan(tx.connection, turn.scope, number, channel, order_id))
            count += 1
        return count

    count = await services.database.transact(steps)
    if count:
        log.warning("orphans_found", scope=turn.scope, count=count)
    return Settled(services.clock.after(EVERY_SECONDS)) if claim.key == SCAN else Settled()


def mark_of(order: OrderFound) -> tuple[str, str] | None:
    """(channel, order id) of our mark in the internal comment."""
    kind, _, rest = (order.internal_comment or "").strip().partition(":")
    channel, _, order_id = rest.partition(":")
    return (channel, order_id) if kind == "mirakl" and order_id else None


FLOW = Flow(
    name=ORPHANS,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    at_once=4,
    keys=lambda _settings, _scope: {SCAN: 600.0},
    on=lambda settings, _: any(channel.orders.is_read for channel in settings.channel),
    effects=True,
)
