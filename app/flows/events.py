"""Centra's event queues are read, stored and confirmed, in this order.

A key is a queue: `order` (orders, shipments, returns), `stock` (stock and catalogue, with the sizes' stock in
the same call), and `listeners`, which keeps the queues open. Events are confirmed only after what they say is
committed; one that can't be read is set aside on our side and confirmed too, so that it never blocks the queue.
When the stock queue can't be caught up (20 full pages in a row), the valve drops it and a full sweep takes its
place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from app import failpoints
from app.centra.client import AFTER_SALE, STOCK
from app.centra.events import ORDER_TYPES
from app.centra.schema import Event, EventsAnswer
from app.domain.ids import Scope, SizeId, Sku
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.flows.catalogue import CATALOGUE, published
from app.flows.sizes import SIZES, store_reads, understood, warehouses
from app.flows.sweep import SWEEP
from app.flows.topology import TOPOLOGY
from app.settings import Channels
from app.store import inbox, intents, mirrors, offers, orders, sizes
from app.store.inbox import Fact
from app.store.marks import Mark
from app.store.outbox import Claim, Postponed, Settled, Verdict
from app.store.pool import Transaction
from app.store.sizes import SizeRead
from app.telemetry import metrics
from app.telemetry.logs import log
from app.telemetry.tracing import span
from app.wire.outcome import Applied, Failure

EVENTS = "events"
LISTENERS = "listeners"
QUEUES: Mapping[str, tuple[str, ...]] = {
    "order": tuple(sorted(ORDER_TYPES)),
    "stock": (
        "StockChange",
        "ProductSize",
        "ProductVariant",
        "Product",
        "Warehouse",
        "Display",
        "AllocationRule",
        "Market",
    ),
}
HEADROOM = {"order": AFTER_SALE, "stock": STOCK}
VALVE_PAGES = 20
BREATH_SECONDS = 1.0
"""Real seconds between two visits of a queue that is being followed closely."""
LISTENERS_SECONDS = 6 * 3600.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read one queue until it is empty, or see that the listeners are set."""
    claim = turn.claims[0]
    if claim.key == LISTENERS:
        return {claim: await _listen(turn, claim)}
    return {claim: await _read_queue(turn, claim, claim.key)}


async def _listen(turn: Pass, claim: Claim) -> Verdict:
    services = turn.services
    wanted = [object_type for types in QUEUES.values() for object_type in types]
    answer = await services.centra.set_event_listeners(wanted)  # additive, safe to repeat
    if not isinstance(answer, Applied):
        return after_failure(answer, claim, services.clock, services.pauses, turn.scope)
    return Settled(services.clock.after(LISTENERS_SECONDS))


async def _read_queue(turn: Pass, claim: Claim, queue: str) -> Verdict:
    services = turn.services
    headroom = HEADROOM[queue]
    while True:
        read_at = services.clock.now()
        answer = await services.centra.fetch_events(
            QUEUES[queue],
            warehouse_ids=await warehouses(services) if queue == "stock" else (),
            headroom=headroom,
        )
        if not isinstance(answer, Applied):
            return _later(turn, claim, answer)
        services.pauses.resume(turn.scope)
        await fail_point(failpoints.EVENTS_FETCHED)
        ids = [e.id for e in answer.value.events] + [int(u.id) for u in answer.value.unreadable if u.id.isdigit()]
        if not ids:
            await _note_pages(services, queue, 0)
            return Settled(services.clock.after(services.settings.centra.event_poll_seconds))
        with span("event page", scope=turn.scope, key=queue, events=len(ids)):
            await services.database.transact(lambda tx: _store(tx, services, answer.value, read_at))  # noqa: B023 - awaited here
        await fail_point(failpoints.EVENTS_STORED)
        for event in answer.value.events:
            metrics.events_read.labels(turn.scope, event.object_type).inc()
        confirmed = await services.centra.confirm_events(ids, headroom=headroom)
        if not isinstance(confirmed, Applied):
            return _later(turn, claim, confirmed)
        await fail_point(failpoints.EVENTS_CONFIRMED)
        if not answer.value.is_full:
            await _note_pages(services, queue, 0)
            breath = services.clock.after(BREATH_SECONDS * services.clock.scale)
            return Postponed(breath, "the queue is followed closely", done=True)
        if await _note_pages(services, queue, 1) >= VALVE_PAGES and queue == "stock":
            return await _open_valve(turn, claim)
        if not turn.still_ours:
            await turn.extend()


def _later(turn: Pass, claim: Claim, failure: Failure) -> Verdict:
    return after_failure(failure, claim, turn.services.clock, turn.services.pauses, turn.scope)


async def _note_pages(services: Services, queue: str, full: int) -> int:
    """Count full pages in a row; 0 begins anew."""
    name = f"events.{queue}.full_pages"
    async with services.database.work.acquire() as connection:
        before = await mirrors.read_cursor(connection, services.source, name, int) or 0
        now = before + 1 if full else 0
        if now != before:
            await mirrors.write_cursor(connection, services.source, name, now)
    return now


async def _open_valve(turn: Pass, claim: Claim) -> Verdict:
    """The queue can't be caught up: drop it, listen anew, and sweep all sizes instead (business rule 7)."""
    services = turn.services
    await services.database.mark([Mark(turn.scope, SWEEP, SWEEP)])  # first, so that a crash loses no change
    for step in (services.centra.unset_event_listeners, services.centra.set_event_listeners):
        answer = await step(QUEUES["stock"])
        if not isinstance(answer, Applied):
            return _later(turn, claim, answer)
    await services.database.mark([Mark(turn.scope, SWEEP, SWEEP)])  # and once more for what came in between
    await _note_pages(services, "stock", 0)
    metrics.valve_openings.labels(turn.scope).inc()
    log.warning("valve_opened", scope=turn.scope, pages=VALVE_PAGES)
    return Settled(services.clock.after(services.settings.centra.event_poll_seconds))


# ------------------------------------------------------------------------------------------- what an event says


async def _store(transaction: Transaction, services: Services, answer: EventsAnswer, read_at: datetime) -> None:
    """Commit everything that a page of events says, before it is confirmed."""
    source = services.source
    said = understood(services, (size for event in answer.events for size in event.sizes))
    changed_at = _changed_at(answer.events, said.reads, services.clock.now())
    stored = await store_reads(transaction, services, said, read_at, changed_at)
    gone = [e.object_id for e in answer.events if e.is_gone and e.object_type == "ProductSize"]
    variants = [e.object_id for e in answer.events if e.object_type == "ProductVariant" and not e.sizes]
    to_read = {size for e in answer.events if not e.sizes for size in e.size_ids}
    to_read |= {e.object_id for e in answer.events if e.unclear and e.object_type == "ProductSize"}
    to_read |= {u.size_id for u in said.unclear}  # held there, with the reason
    to_read |= stored.overtaken  # this answer may know more, and once confirmed nobody else will tell
    to_read |= set(await sizes.sizes_of_variants(transaction.connection, source, variants))
    deleted = await sizes.delete_sizes(transaction.connection, source, gone)
    channels = services.channels(stock_on=True)
    transaction.mark(await offers.marks_for(transaction.connection, channels, deleted, None))
    transaction.mark(Mark(source, SIZES, str(size)) for size in sorted(to_read))
    if any(e.object_type in {"Warehouse", "AllocationRule", "Market"} for e in answer.events):
        transaction.mark([Mark(source, TOPOLOGY, TOPOLOGY)])
    if published(services.settings):  # what depends on a product tells of it as its own change
        products = {e.object_id for e in answer.events if e.object_type == "Product"}
        transaction.mark(Mark(source, CATALOGUE, str(product)) for product in sorted(products))
    changed = {e.order_number for e in answer.events if e.object_type == "Order" and e.order_number is not None}
    if changed:
        transaction.mark(await orders.centra_changed(transaction.connection, sorted(changed)))
    after_sale = {e.order_number for e in answer.events if e.object_type in ORDER_TYPES and e.order_number is not None}
    if after_sale and any(channel.after_sale.is_followed for channel in services.settings.channel):
        transaction.mark(await intents.orders_of_numbers(transaction.connection, source, after_sale))
    await inbox.store(transaction.connection, source, inbox.CENTRA_EVENT, _facts(answer))


def _changed_at(events: Iterable[Event], reads: Iterable[SizeRead], now: datetime) -> dict[Sku, datetime]:
    """When each SKU first changed, by what Centra says; never later than now, never older than a day."""
    skus = {r.size.size_id: r.size.sku for r in reads}
    first: dict[Sku, datetime] = {}
    for event in events:
        said = _instant(event.created_at)
        if said is None or said < now - timedelta(days=1):
            continue
        for size in event.sizes:
            if size.id in skus:
                sku = skus[SizeId(size.id)]
                first[sku] = min(said, now, first.get(sku, now))
    return first


def _instant(text: str | None) -> datetime | None:
    try:
        said = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return said if said.tzinfo else None


def _facts(answer: EventsAnswer) -> list[Fact]:
    """What is kept of a page: order, shipment and return facts, and whatever could not be read."""
    kept = [
        Fact(
            str(e.id),
            e.object_type,
            str(e.object_id),
            msgspec.json.encode({"change": e.change_type, "order": e.order_number, "at": e.created_at}).decode(),
            e.unclear or None,
        )
        for e in answer.events
        if e.object_type in ORDER_TYPES or e.unclear
    ]
    return kept + [Fact(u.id or f"place-{u.index}", "unreadable", u.id, reason=u.reason) for u in answer.unreadable]


def _keys(settings: Channels, _: Scope) -> Mapping[str, float]:
    return {LISTENERS: 0.0, **dict.fromkeys(QUEUES, 1.0)}


FLOW = Flow(
    name=EVENTS,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    at_once=3,
    keys=_keys,
    on=lambda settings, _: settings.centra.events,
    fail_points=(failpoints.EVENTS_FETCHED, failpoints.EVENTS_STORED, failpoints.EVENTS_CONFIRMED),
)
