"""An order is made in Centra, once. A step of the flow `order_entry`.

The create is a *create* effect whose answer may be lost: what it made is found again by our mark in the internal
comment, and adopted; only when two looks, 15 s and 60 s later, find nothing is another one made (business rule 16). A
number that can't be stored, since another worker has the order or it has a number, is an orphan and is cancelled (12).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from app import failpoints
from app.centra.order_api import STOCK_MISSING, CreatedOrder, failure_code
from app.centra.order_entry import create_request
from app.centra.orders import OrderFound
from app.domain.ids import CentraNumber, EffectId, SizeId, Sku
from app.domain.orders import NewOrder
from app.domain.progress import Acceptor, Decided, EntryCall
from app.failpoints import fail_point
from app.flows.entry.turn import Turn
from app.flows.order_reads import READS
from app.flows.orphans import mark_orphan, scan_later
from app.policies.addresses import AddressPolicy, Unmappable
from app.policies.order_entry import Destination, EntryPolicy, destination_for, new_order, reference
from app.store import buyers, orders, sizes
from app.store.effects import Doubt, EffectClass, EffectState, audit, count_refused, decide
from app.store.marks import Mark
from app.store.orders import ORDER_ENTRY, SELLER_REFERENCES
from app.store.outbox import Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, Refused, Unknown

LOOK_BACK = timedelta(minutes=5)
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 15.0, 60.0
"""App seconds after a lost create at which it is looked for; found by neither, it was not applied."""
LATE_SECONDS = 600.0
MOST_REFUSALS = 3
SEEN_CANCELLED_SECONDS = 300.0


async def create(one: Turn) -> Verdict | None:
    doubt = await one.doubt(EntryCall.CREATE)
    if doubt is not None:
        return await _resolve(one, doubt)
    prepared = await prepare(one)
    if not isinstance(prepared, NewOrder):
        return prepared
    if one.record.accepted_by is Acceptor.SOMEBODY and (verdict := await _entered_elsewhere(one)) is not None:
        return verdict
    size_ids = await _sizes(one, prepared)
    if isinstance(size_ids, Held):
        return size_ids
    api, settings = one.services.order_api, one.settings
    assert api is not None
    effect_id = await one.sent(EntryCall.CREATE, EffectClass.CREATE, doubt="centra_order")
    await fail_point(failpoints.ENTRY_CREATE_SENT)
    outcome = await api.create_order(
        create_request(prepared, size_ids, settings.payment, mail=settings.shop_mail, attribute=settings.attribute),
        effect_id=str(effect_id),
        usable_until=one.turn.usable_until,
    )
    await fail_point(failpoints.ENTRY_CREATE_ANSWERED)
    if isinstance(outcome, Applied):
        metrics.effects.labels(one.scope, ORDER_ENTRY, EntryCall.CREATE, "applied").inc()
        return await _number(one, effect_id, outcome.value)
    await one.decided(effect_id, EntryCall.CREATE, outcome)
    if isinstance(outcome, Refused) and failure_code(outcome) == STOCK_MISSING:
        return await _no_stock(one)
    return one.refused(outcome, "Centra refused the order")


async def _entered_elsewhere(one: Turn) -> Verdict | None:
    """Whoever accepted the order may have brought it into Centra under our id, as an older installation would."""
    answer = await one.services.centra.find_order_by_external_id(reference(one.scope, one.record.order.order_id))
    if not isinstance(answer, Applied):
        return one.failed(answer)
    if answer.value:
        return Held(f"Centra has this order already, as number {answer.value[0]}: nothing is created")
    return None


async def _sizes(one: Turn, order: NewOrder) -> dict[Sku, SizeId] | Held:
    """The size in Centra behind each SKU."""
    async with one.services.database.work.acquire() as connection:
        known = await sizes.by_skus(connection, one.services.source, [line.sku for line in order.lines])
    found: dict[Sku, SizeId] = {}
    for line in order.lines:
        living = [size.size_id for size in known.get(line.sku, ()) if not size.deleted]
        if len(living) != 1:
            return Held(f"{line.sku}: {len(living) or 'no'} sizes in Centra have this SKU")
        found[line.sku] = living[0]
    return found


async def prepare(one: Turn) -> NewOrder | Held:
    """The order as Centra shall have it, or why a person must look first."""
    order, settings = one.record.order, one.settings
    async with one.services.database.work.acquire() as connection:
        buyer = await buyers.read(connection, one.scope, order.order_id)
    if buyer is None:
        return Held("the buyer's data was erased, so this order can't be sent to anybody")
    if order.country is None:
        return Held("the delivery address names no country that we know: correct it at the marketplace")
    destination = destination_for(order.country, _destinations(one))
    if destination is None:
        return Held(f"no destination for {order.country}: add it to channels.toml, [[channel.orders.destinations]]")
    assert one.record.decided is not None
    policy = EntryPolicy(
        one.scope,
        AddressPolicy(
            line_length=settings.line_length,
            phone_required=frozenset(settings.phone_required),
            fallback_phone=settings.phone,
        ),
        settings.email_domain,
        backorder=bool(one.record.decided.short),
    )
    prepared = new_order(order, buyer, one.record.decided.accepted_lines, destination, policy)
    return Held(prepared.reason) if isinstance(prepared, Unmappable) else prepared


def _destinations(one: Turn) -> list[Destination]:
    """The channel's destinations, with the shipping option of this order's shipping type."""
    currency, wanted = one.services.channel(one.scope).currency, one.record.order.shipping_type or ""
    return [
        Destination(
            d.country,
            d.market,
            d.price_list,
            currency,
            d.tax_included,
            d.shipping_by_type.get(wanted, d.shipping_option),
            d.allocation_rule,
        )
        for d in one.settings.destinations
    ]


async def _number(one: Turn, effect_id: EffectId, created: CreatedOrder) -> Verdict | None:
    """Store the number while the lane is ours; a number that can't be stored is an orphan (business rule 12)."""
    main, *parts = (CentraNumber(number) for number in created.numbers)

    async def steps(tx: Transaction) -> bool:
        await decide(tx.connection, effect_id, EffectState.APPLIED, f"Centra order {main}")
        return await _take(tx, one, main, parts)

    ours = await one.services.database.transact(steps)
    await fail_point(failpoints.ENTRY_NUMBERED)
    return None if ours else Settled()


async def _take(tx: Transaction, one: Turn, main: CentraNumber, parts: list[CentraNumber]) -> bool:
    """Store the number, or note an orphan. Under the order's lock, so that nobody adopts what is noted meanwhile."""
    connection, source = tx.connection, one.services.source
    stored = await orders.lock(connection, one.scope, one.order_id)
    if stored == main:
        return False  # another worker found this very order, and adopted it
    claim = one.claim.claim
    if await orders.take_number(connection, one.scope, one.order_id, main, claim=claim, source=source):
        for part in parts:
            await orders.note_number(connection, source, part, one.scope, one.order_id, "part")
        words = f"Centra order {main}"
        await audit(connection, one.scope, ORDER_ENTRY, f"order:{one.order_id}", None, "created", words)
        if one.record.accepted_at is not None:
            tx.mark([Mark(one.scope, SELLER_REFERENCES, one.order_id)])
        return True
    for number in (main, *parts):
        tx.mark(await mark_orphan(connection, source, number, one.scope, one.order_id))
    return False


async def _resolve(one: Turn, doubt: Doubt) -> Verdict | None:
    """A create whose answer was lost: adopt what it made, or make sure that it made nothing (business rule 16)."""
    found = await look(one, doubt.sent_at)
    if not isinstance(found, list):
        return one.failed(found)
    if found:
        numbers = sorted(CentraNumber(order.number) for order in found)
        await one.write(lambda tx: _adopt(tx, one, doubt, numbers))
        log.info("create_adopted", scope=one.scope, key=one.order_id, count=len(numbers))
        return None
    clock = one.services.clock
    if not is_past(one, doubt, LAST_LOOK_SECONDS):
        seconds = LAST_LOOK_SECONDS if is_past(one, doubt, FIRST_LOOK_SECONDS) else FIRST_LOOK_SECONDS
        left = seconds - (clock.now() - doubt.sent_at).total_seconds()
        return Postponed(clock.after(max(1.0, left)), "a create is in doubt and is looked for in Centra")

    async def give_up(tx: Transaction) -> None:
        await decide(tx.connection, doubt.id, EffectState.NOT_APPLIED, "not found in Centra after a minute")
        tx.mark(scan_later(one.services.source, one.order_id, clock.after(LATE_SECONDS)))

    await one.write(give_up)
    return None


async def _adopt(tx: Transaction, one: Turn, doubt: Doubt, numbers: list[CentraNumber]) -> None:
    """The lowest number is ours; there should be no other."""
    await decide(tx.connection, doubt.id, EffectState.APPLIED, f"found in Centra: order {numbers[0]}")
    if not await _take(tx, one, numbers[0], []):
        return
    for number in numbers[1:]:
        tx.mark(await mark_orphan(tx.connection, one.services.source, number, one.scope, one.order_id))


async def look(one: Turn, called_at: datetime) -> list[OrderFound] | Failure:
    """Orders in Centra that bear our mark, made since shortly before a call, less the known orphans."""
    mark, page, found = reference(one.scope, one.record.order.order_id), 1, list[OrderFound]()
    since, until = called_at - LOOK_BACK, one.services.clock.after(60.0)
    while True:
        answer = await one.services.centra.orders_created(since, until, page)
        if not isinstance(answer, Applied):
            return answer
        if answer.value.orders.unreadable:
            return Unknown("an order in Centra's list can't be read, and may be the one that is looked for")
        rows = answer.value.orders.items
        found += [o for o in rows if o.status != "CANCELLED" and (o.internal_comment or "").strip() == mark]
        if answer.value.is_last:
            async with one.services.database.work.acquire() as connection:
                gone = await orders.are_orphans(connection, one.services.source, [o.number for o in found])
            return [o for o in found if o.number not in gone]
        page += 1
        if not one.turn.still_ours:
            await one.turn.extend()


def is_past(one: Turn, doubt: Doubt, seconds: float) -> bool:
    return (one.services.clock.now() - doubt.sent_at).total_seconds() >= seconds


async def _no_stock(one: Turn) -> Verdict | None:
    """Centra has no stock for an order: before acceptance it is decided anew, after it by policy (business rule 18)."""
    record, decided = one.record, one.record.decided
    assert decided is not None
    refusals = await count_refused(one.services.database, one.scope, one.order_id, EntryCall.CREATE)
    if record.accepted_at is None:
        if refusals > MOST_REFUSALS:
            return Held("Centra has free units for this order and says that it has none: look at its allocation rule")
        await one.write(lambda tx: _decide_anew(tx, one, None))
        return Settled()
    units = sum(line.quantity for line in record.order.live_lines)
    if refusals == 1:
        metrics.oversold_units.labels(one.scope).inc(units)
    deadline = f"; it must be shipped by {record.order.ship_by:%Y-%m-%d %H:%M} UTC" if record.order.ship_by else ""
    match one.settings.backorder:
        case "backorder":
            short = Decided(decided.accepted, (*decided.steps, "no stock: a backorder"), tuple(decided.accepted_lines))
            await one.write(lambda tx: _decide_anew(tx, one, short))
            return None
        case "cancel" if record.order.can_cancel:
            return await _cancel_at_marketplace(one)
        case "cancel":
            return Held(f"accepted, Centra has no stock for it, and only a refund ends it at the marketplace{deadline}")
        case "hold":
            return Held(f"accepted, and Centra has no stock for it: find stock, or cancel it{deadline}")
    assert_never(one.settings.backorder)


async def _decide_anew(tx: Transaction, one: Turn, decided: Decided | None) -> None:
    await orders.decide(tx.connection, one.scope, one.order_id, decided)
    if decided is None:
        tx.mark([one.orders_next])


async def _cancel_at_marketplace(one: Turn) -> Verdict:
    """OR29, while the marketplace allows it; a *state* effect, and the next read of the order shows what it did."""
    effect_id = await one.sent(EntryCall.CANCEL_AT_MARKETPLACE, EffectClass.STATE)
    outcome = await one.services.mirakl[one.scope].or29_cancel_order(
        one.record.order.order_id, effect_id=str(effect_id), usable_until=one.turn.usable_until
    )
    await one.decided(effect_id, EntryCall.CANCEL_AT_MARKETPLACE, outcome)
    if isinstance(outcome, Refused):
        return Held(f"accepted, Centra has no stock for it, and the marketplace does not cancel it: {outcome.reason}")
    until = one.services.clock.after(SEEN_CANCELLED_SECONDS)
    await one.services.database.mark([Mark(one.scope, READS, one.order_id, due_at=one.services.clock.after(5))])
    return Waiting(until, "Centra has no stock for it; it was cancelled at the marketplace")
