"""A marketplace's orders are read and stored, before anything is done about them.

One key. A pass reads what was updated since the last one: a fixed window that ends where the pass begins, page after
page, until one walk over all pages meets no new id; then the orders that changed are marked, and the watermark moves to
the newest update that was read. Now and then it reads every order that still needs something of us, as a safety net.

Pages shift while they are read, since an order that is updated leaves the window: pages overlap, and where the first
order of one was not in those before, we step back (business rule 8). The raw order is stored first, its buyer apart;
units are reserved from the first sight, so that what is published sinks at once (rule 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from app import failpoints
from app.domain.orders import OPEN_STATES, Order
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.mirakl.order_facts import Told, told_of
from app.mirakl.order_schema import OrderPage, OrderQuery, RawOrder
from app.policies.addresses import is_anonymised
from app.store import buyers, inbox, intents, mirrors, offers, orders, reservations, settlement
from app.store.inbox import Fact
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.store.reservations import Reserved
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.decode import Items
from app.wire.outcome import Applied, Failure, Outcome

INTAKE = "order_intake"
WATERMARK = "orders.watermark"
MIRAKL_ORDER = "mirakl.order"
OVERLAP = timedelta(minutes=2)
OVERLAP_ROWS = 10
"""Rows that a page shares with the one before: so many may leave the window meanwhile, and nothing is missed."""
MOST_SWEEPS = 20


class Passed(msgspec.Struct, frozen=True):
    """The last complete pass: when it began, and up to which update everything is stored; and the last sweep."""

    began_at: datetime
    watermark: datetime
    swept_at: datetime | None = None


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read what changed, or everything that is open; one window at a time, since a page belongs to the last opened."""
    claim, services = turn.claims[0], turn.services
    settings = services.channel(turn.scope).orders
    began = services.clock.now()
    async with services.database.work.acquire() as connection:
        passed = await mirrors.read_cursor(connection, turn.scope, WATERMARK, Passed)
    since = began - timedelta(days=settings.look_back_days) if passed is None else passed.watermark
    sweeps = passed is not None and _is_due(passed.swept_at, began, settings.sweep_seconds)
    query = OrderQuery(states=OPEN_STATES) if sweeps else OrderQuery(start_update=since - OVERLAP, end_update=began)
    read = await _read_all(turn, query)
    if not isinstance(read, Read):
        return {claim: after_failure(read, claim, services.clock, services.pauses, turn.scope)}
    services.pauses.resume(turn.scope)
    if passed is not None and sweeps:
        ended = Passed(passed.began_at, passed.watermark, began)
    else:
        ended = Passed(began, max(since, min(began, read.newest or since)), passed.swept_at if passed else None)
    await services.database.transact(lambda tx: _end_pass(tx, turn, ended))
    await fail_point(failpoints.ORDERS_MARKED)
    return {claim: Settled(services.clock.after(settings.pass_seconds))}


def _is_due(last: datetime | None, now: datetime, seconds: float) -> bool:
    return last is None or (now - last).total_seconds() >= seconds


# ------------------------------------------------------------------------------------------------- reading pages


@dataclass(slots=True)
class Read:
    """What a pass met: ids, and the newest update among them by the marketplace's own word."""

    ids: set[str] = field(default_factory=set)
    newest: datetime | None = None


async def _read_all(turn: Pass, query: OrderQuery) -> Read | Failure:
    """Every page of a query, stored, again and again until a whole walk over them meets no new id.

    Work on what was stored begins after the first walk: what it moves out of the window has been seen by then.
    """
    read, opens = Read(), True
    for _ in range(MOST_SWEEPS):
        known = len(read.ids)
        swept = await _sweep(turn, query, read, opens=opens)
        if not isinstance(swept, Applied):
            return swept
        await turn.services.database.transact(lambda tx: _mark_changed(tx, turn))
        opens = False
        if swept.value or len(read.ids) == known:
            return read
    log.warning("pages_keep_shifting", scope=turn.scope, count=len(read.ids))
    return read  # what was missed was updated after the window's end, and so is in the next one


async def _mark_changed(tx: Transaction, turn: Pass) -> None:
    tx.mark(await orders.marks_of_changed(tx.connection, turn.scope, turn.services.clock.now()))


async def _sweep(turn: Pass, query: OrderQuery, read: Read, *, opens: bool) -> Outcome[bool]:
    """All pages once, from the oldest order on; whether nothing can be missing: as many orders as there are, and none
    left meanwhile.
    """
    offset, swept, totals = 0, set[str](), set[int]()
    while True:
        answer, began = await _page(turn, replace(query, offset=offset), opens)
        if not isinstance(answer, Applied):
            return answer
        opens, page = False, answer.value
        totals.add(page.total_count)
        ids = [raw.order.order_id for raw in page.orders.items]
        if offset and ids and ids[0] not in swept:  # rows before us left, and those behind moved up
            offset = max(0, offset - query.max)
            continue
        await store_orders(turn.services, turn.scope, page.orders, began, mark=False)
        await fail_point(failpoints.ORDERS_STORED)
        swept.update(ids)
        read.ids.update(ids)
        updates = [raw.order.last_updated_date for raw in page.orders.items]
        read.newest = max([*updates, *([read.newest] if read.newest else [])], default=None)
        metrics.orders_read.labels(turn.scope).inc(len(ids))
        if not page.has_next:
            return Applied(totals == {len(swept)})
        offset += max(1, len(ids) + len(page.orders.unreadable) - OVERLAP_ROWS)
        if not turn.still_ours:
            await turn.extend()


async def _page(turn: Pass, query: OrderQuery, opens: bool) -> tuple[Outcome[OrderPage], datetime]:
    """One page, and when its call began."""
    services, began = turn.services, turn.services.clock.now()

    async def call() -> Outcome[OrderPage]:
        nonlocal began
        began = services.clock.now()
        return await services.mirakl[turn.scope].or11_list_orders(query, opens=opens)

    answer = await (call() if opens else patiently(turn, call))
    return answer, began


async def _end_pass(tx: Transaction, turn: Pass, ended: Passed) -> None:
    """Move the watermark and let waiting increases of stock go."""
    scope = turn.scope
    await mirrors.write_cursor(tx.connection, scope, WATERMARK, ended)
    tx.mark(Mark(scope, offers.STOCK, sku) for sku in await offers.waiting_for_orders(tx.connection, scope))


# ------------------------------------------------------------------------------------------------------- storing


async def store_orders(
    services: Services, scope: str, page: Items[RawOrder], read_at: datetime, *, mark: bool = True
) -> None:
    """Store orders, told by a call that began at `read_at`, with buyers and reservations.

    What can't be read is a dead letter; it stops no other.
    """
    told = [told_of(raw) for raw in page.items]

    async def steps(tx: Transaction) -> None:
        await _store(tx, services, scope, told, read_at)
        dead = [
            Fact(f"unreadable-{odd.id or odd.index}", "order", odd.id, reason=odd.reason) for odd in page.unreadable
        ]
        await inbox.store(tx.connection, scope, MIRAKL_ORDER, dead)
        if mark:
            ids = [t.order.order_id for t in told]
            tx.mark(await orders.marks_of_changed(tx.connection, scope, services.clock.now(), ids))

    await services.database.transact(steps)


async def _store(tx: Transaction, services: Services, scope: str, told: Sequence[Told], read_at: datetime) -> None:
    connection, source = tx.connection, services.source
    await inbox.store(connection, scope, MIRAKL_ORDER, [_fact(t) for t in told])
    known = await orders.known(connection, scope, [t.order.order_id for t in told])
    fresh = [t for t in told if known.get(t.order.order_id) != t.order]
    await reservations.lock(connection, source, [line.sku for t in fresh for line in t.order.lines])
    window = timedelta(seconds=services.channel(scope).orders.accept_within_seconds)
    skus: set[str] = set()
    for t in sorted(fresh, key=lambda t: t.order.order_id):
        order = t.order
        if not await orders.store(connection, scope, order, order.created_at + window, read_at):
            continue  # something newer is stored
        if order.state in OPEN_STATES and order.ours:  # whoever else's data is not needed here
            hashed = buyers.email_hash(services.privacy_key, t.buyer.email)
            await buyers.store(connection, scope, order.order_id, t.buyer, hashed, anonymised=is_anonymised(t.buyer))
        lines = _reserved(order, services.channel(scope).orders.start_at)
        if order.order_id in known or any(line.quantity for line in lines):
            skus |= await reservations.write(connection, source, scope, order.order_id, lines)
        _count(scope, order, known.get(order.order_id))
    tx.mark(await offers.marks_for(connection, services.channels(stock_on=True), skus))
    unchanged = [t.order.order_id for t in told if t not in fresh]
    await orders.read_again(connection, scope, unchanged, read_at)
    if services.channel(scope).after_sale.is_followed:
        changed = [t.order for t in fresh]
        tx.mark(await intents.marks_of_told(connection, scope, [t.order for t in told], changed))
    if services.channel(scope).settlement.on:
        tx.mark(settlement.marks_of_orders(scope, [t.order for t in fresh]))


def _fact(told: Told) -> Fact:
    digest = sha256(told.kept.encode()).hexdigest()[:12]
    order = told.order
    return Fact(f"{order.order_id}@{order.updated_at.isoformat()}@{digest}", "order", order.order_id, told.kept)


def _reserved(order: Order, start_at: datetime | None) -> list[Reserved]:
    """The units that an order keeps from being sold: live lines of open orders that we are to ship."""
    counts = order.ours and order.state in OPEN_STATES and not (start_at and order.created_at < start_at)
    return [
        Reserved(line.line_id, line.sku, max(0, line.quantity - line.cancelled_quantity) if counts and line.live else 0)
        for line in order.lines
    ]


def _count(scope: str, order: Order, before: Order | None) -> None:
    if before is None:
        metrics.orders_seen.labels(scope).inc()
    if order.state not in _KNOWN_STATES and (before is None or before.state != order.state):
        metrics.unknown_words.labels(scope, "order_state").inc()
        log.warning("unknown_order_state", scope=scope, state=order.state)


_KNOWN_STATES = frozenset((*OPEN_STATES, "SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED", "REFUSED", "CANCELED"))

FLOW = Flow(
    name=INTAKE,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    keys=lambda _settings, _scope: {INTAKE: 0.0},
    retry_cap_seconds=60.0,
    fail_points=(failpoints.ORDERS_STORED, failpoints.ORDERS_MARKED),
)
"""Pauses of the scope stop the reading too (its key is refused), but not the watch over what is stored already."""
