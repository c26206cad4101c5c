"""Once a day the orders of the last days are exported and compared with what is stored: what every other read missed.

One key. The export is asked for, polled and fetched in steps; how far it is, is a cursor. What it tells is stored as a
pass would store it, and orders that differ are marked. What a pass should have read and did not is a difference
(`parity`), which is mended as it is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.domain.orders import Order
from app.domain.parity import UNREAD, Deed, Found, Kind
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.flows.order_intake import OVERLAP, WATERMARK, Passed, store_orders
from app.mirakl.order_facts import told_of
from app.store import mirrors, orders, parity
from app.store.outbox import Claim, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry.logs import log
from app.wire.decode import Items
from app.wire.outcome import Applied

LOOK_BACK = "order_look_back"
EVERY_SECONDS = 86_400.0
FIRST_SECONDS = 600.0
POLL_SECONDS = 10.0
LOST_SECONDS = 3_600.0
SLICE = 100


class Export(msgspec.Struct, frozen=True):
    """An export that was asked for: of orders updated since then."""

    tracking_id: str
    asked_at: datetime
    since: datetime | None = None


LOOKED = "order_look_back.last"


class Looked(msgspec.Struct, frozen=True):
    """The last whole export: of orders updated from `since` until `asked_at`."""

    asked_at: datetime
    since: datetime

    @property
    def until(self) -> datetime:
        """What was updated just before it was asked for may not be in it."""
        return self.asked_at - OVERLAP


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Ask for an export, or take the one under way a step further."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        export = await mirrors.read_cursor(connection, turn.scope, LOOK_BACK, Export)
    return {claim: await (_ask(turn, claim) if export is None else _follow(turn, claim, export))}


async def _keep(turn: Pass, export: Export | None) -> None:
    async with turn.services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, turn.scope, LOOK_BACK, export)


async def _ask(turn: Pass, claim: Claim) -> Verdict:
    services, now = turn.services, turn.services.clock.now()
    since = now - timedelta(days=services.channel(turn.scope).orders.look_back_days)
    answer = await services.mirakl[turn.scope].or13_export_orders(since, now)
    if not isinstance(answer, Applied):
        return after_failure(answer, claim, services.clock, services.pauses, turn.scope)
    await _keep(turn, Export(answer.value, now, since))
    return Waiting(services.clock.after(POLL_SECONDS), "the export is under way")


async def _follow(turn: Pass, claim: Claim, export: Export) -> Verdict:
    services = turn.services
    lost = (services.clock.now() - export.asked_at).total_seconds() > LOST_SECONDS
    answer = await services.mirakl[turn.scope].or14_get_export(export.tracking_id)
    if isinstance(answer, Applied) and answer.value.status == "COMPLETED":
        return await _fetch(turn, claim, export, answer.value.urls)
    if lost or (isinstance(answer, Applied) and answer.value.status in ("FAILED", "CANCELED")):
        await _keep(turn, None)
        return Postponed(services.clock.after(600), "the export was lost or failed; another one is asked for")
    if not isinstance(answer, Applied):
        return after_failure(answer, claim, services.clock, services.pauses, turn.scope)
    return Waiting(services.clock.after(POLL_SECONDS), f"the export is {answer.value.status}")


async def _fetch(turn: Pass, claim: Claim, export: Export, urls: tuple[str, ...]) -> Verdict:
    services, count = turn.services, 0
    for url in urls:
        # its link serves once, so a missing permit is waited for here
        answer = await patiently(turn, lambda: services.mirakl[turn.scope].or15_download_orders(url))  # noqa: B023 - awaited here
        if not isinstance(answer, Applied):
            await _keep(turn, None)
            return after_failure(answer, claim, services.clock, services.pauses, turn.scope)
        page = answer.value
        for start in range(0, max(len(page.items), 1), SLICE):
            unreadable = page.unreadable if start == 0 else ()
            part = Items(page.items[start : start + SLICE], unreadable, page.places)
            await _notice(turn, [told_of(raw).order for raw in part.items], export.asked_at)
            await store_orders(services, turn.scope, part, export.asked_at)
            if not turn.still_ours:
                await turn.extend()
        count += len(page.items)
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(
            connection, turn.scope, LOOKED, Looked(export.asked_at, export.since or export.asked_at)
        )
        await mirrors.write_cursor(connection, turn.scope, LOOK_BACK, None)
    log.info("orders_looked_back", scope=turn.scope, count=count)
    return Settled(services.clock.after(EVERY_SECONDS))


async def _notice(turn: Pass, told: Sequence[Order], asked_at: datetime) -> None:
    """Write down what a pass should have read and did not, before it is stored."""
    scope, now = turn.scope, turn.services.clock.now()

    async def steps(tx: Transaction) -> None:
        passed = await mirrors.read_cursor(tx.connection, scope, WATERMARK, Passed)
        if passed is None:
            return  # nothing was read yet
        known = await orders.known(tx.connection, scope, [order.order_id for order in told])
        found = []
        for order in told:
            ours = known.get(order.order_id)
            is_new = ours is None or (ours.updated_at <= order.updated_at and _shape(ours) != _shape(order))
            if is_new and order.updated_at < passed.watermark - OVERLAP:
                state = "absent" if ours is None else ours.state
                found.append(Found(Kind.ORDERS, order.order_id, UNREAD, state, order.state, mended=True))
        await parity.write(tx.connection, scope, [(one, Deed.MENDED) for one in found], asked_at, now)

    await turn.services.database.transact(steps)


def _shape(order: Order) -> tuple[object, ...]:
    """What flows go by; a member that is read only since a release is no news."""
    lines = sorted((line.line_id, line.state, line.quantity, line.cancelled_quantity) for line in order.lines)
    return order.state, lines, sum(len(line.taken) for line in order.lines)


FLOW = Flow(
    name=LOOK_BACK,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    keys=lambda _settings, _scope: {LOOK_BACK: FIRST_SECONDS},
)
