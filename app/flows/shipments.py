"""A parcel that left Centra's warehouse is told to the marketplace, with its carrier and tracking.

A key is an order, in its lane; its work is the parcels that are not told yet, or differ from what was told. A parcel
goes as a shipment of its own (ST01, and ST24 where that did not ship it), or, where an order has one tracking, all of
the order at once with OR23 and OR24. A carrier that the channel's table does not name holds exactly its parcels.

ST01 is a *create* effect: a lost answer is decided by the shipments that ST11 lists for the order, by the units and the
tracking. ST23 and OR23 are *safe*; ST24 and OR24 are *state* effects, read by their next answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

import msgspec

from app import failpoints
from app.domain.after_sale import Advice, Announced, Carrier, Parcel, Stop
from app.domain.ids import EffectId
from app.domain.orders import SENT_STATES, OrderState
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.failpoints import fail_point
from app.flows.after_sale.market import Market, market_of, note_one_tracking
from app.flows.after_sale.turn import Hold, Sale, Step, advance, parcels
from app.mirakl.after_schema import NewShipment, Packed, Shipment, Tracking
from app.policies.carriers import Unmapped, carrier_for, tracking_fault
from app.policies.dispatch import Changed, Dispatch, changed, to_send, to_send_whole
from app.policies.order_steps import Wait
from app.store.effects import EffectClass, EffectState, OneDoubt, OpenDoubtError, decide, was_called
from app.store.intents import RANKS, Intent, Kind
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.tracing import exemplar
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown

DOUBT = "shipment"
SHIPPED = ("SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED", "SHIPMENT_PREPARED")
"""States of a shipment that was sent off; prepared: it is, once the buyer is debited."""
LOOK_SECONDS, LATE_SECONDS = 15.0, 660.0
"""App seconds after a lost ST01 at which ST11 is asked, and after which nobody applies it any more."""


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Tell the marketplace about each parcel of one order."""
    return await advance(turn, Kind.SHIPMENT, _step)


async def _step(sale: Sale, intent: Intent) -> Step:
    parcel, told = intent.read(Parcel), intent.answer(Announced)
    market = await market_of(sale.services, sale.scope)
    if told is not None:
        return await _differs(sale, intent, parcel, told, market)
    doubt = await sale.doubt(DOUBT)
    if doubt is not None:
        if doubt.intent != intent.id:
            return Waiting(sale.after(LOOK_SECONDS), "another parcel of the order is in doubt")
        return await _look(sale, intent, parcel, doubt)
    if not parcel.complete:
        return await sale.end(intent, None, "it was taken back in Centra before the marketplace was told")
    if market.one_tracking and not sale.sent:
        shipped = await _shipped_by_us(sale, market)
        if shipped is not None:
            return shipped
        found = to_send_whole(parcels(sale), sale.order, {}, sale.excluded)
    else:
        found = to_send(parcel, sale.order, sale.sent, sale.excluded)
    match found:
        case None:
            return await sale.end(intent, None, "told with another parcel of the order")
        case Wait() if sale.order.state != OrderState.SHIPPING:  # it is told by itself later; somebody must know
            return Hold(Stop(found.reason, Advice.BY_HAND), Team.WAREHOUSE)
        case Wait():
            return sale.waits(found)
        case Stop():
            return Hold(found, Team.WAREHOUSE)
        case Dispatch():
            return await _tell(sale, intent, found, market)
    assert_never(found)


async def _tell(sale: Sale, intent: Intent, dispatch: Dispatch, market: Market) -> Step:
    parcel = dispatch.parcel
    carrier = _carrier(sale, parcel, market)
    if not isinstance(carrier, Carrier):
        return carrier
    if market.one_tracking:
        return await _tell_whole(sale, intent, dispatch, carrier)
    return await _tell_parcel(sale, intent, parcel, carrier)


def _carrier(sale: Sale, parcel: Parcel, market: Market) -> Carrier | Hold | Waiting:
    """The carrier of a parcel as the marketplace takes it, and with the tracking it wants."""
    if market.registered is None:
        return Waiting(sale.after(LOOK_SECONDS), "the marketplace's carriers are not read yet")
    carrier = carrier_for(
        parcel.carrier, parcel.service, market.rows, market.registered, free_allowed=market.free_carriers
    )
    if isinstance(carrier, Unmapped):
        text = f"{parcel.carrier} / {parcel.service}".strip(" /")
        closest = ", ".join(f"{c.code} ({c.label})" for c in carrier.closest)
        evidence = {"carrier in Centra": text} | ({"closest": closest} if closest else {})
        return Hold(Stop(f"{carrier.reason}: {text or 'none'}", Advice.MAP_CARRIER, evidence), Team.OPERATIONS)
    mandatory = (sale.order.shipping_type or "") in market.with_tracking
    fault = tracking_fault(carrier, market.registered, parcel.tracking, mandatory)
    if fault is not None:
        return Hold(Stop(fault, Advice.BY_HAND, {"parcel": parcel.number}), Team.WAREHOUSE)
    return carrier


def _tracking(parcel: Parcel, carrier: Carrier) -> Tracking:
    return Tracking(
        carrier_code=carrier.code,
        carrier_name=carrier.name,
        tracking_number=parcel.tracking.strip(),
        tracking_url="" if carrier.registered else carrier.url.replace("{trackingId}", parcel.tracking.strip()),
    )


# ---------------------------------------------------------------------------------------------- a parcel of its own


async def _tell_parcel(sale: Sale, intent: Intent, parcel: Parcel, carrier: Carrier) -> Step:
    try:
        effect_id = await sale.call_once("ST01", DOUBT, intent, Announced(parcel, carrier))
    except OpenDoubtError:
        return Waiting(sale.after(LOOK_SECONDS), "another parcel of the order is in doubt")
    await fail_point(failpoints.SHIPMENT_SENT)
    lines = tuple(Packed(order_line_id=line, quantity=units) for line, units in sorted(parcel.units.items()) if units)
    outcome = await sale.services.mirakl[sale.scope].st01_create_shipment(
        NewShipment(order_id=sale.order_id, shipment_lines=lines, tracking=_tracking(parcel, carrier), shipped=True),
        effect_id=str(effect_id),
        usable_until=sale.turn.usable_until,
    )
    await fail_point(failpoints.SHIPMENT_ANSWERED)
    if isinstance(outcome, Applied):
        sale.count("ST01", outcome)
        return await _created(sale, intent, effect_id, Announced(parcel, carrier), outcome.value)
    await sale.call_ended(effect_id, "ST01", outcome)
    match outcome:
        case Unknown():
            return Waiting(sale.after(LOOK_SECONDS), "the answer of ST01 was lost; the order's shipments are read")
        case Refused(_, 404, RefusalKind.MISSING):
            await note_one_tracking(sale.services, sale.scope)
            return Waiting(sale.now, "this marketplace has one tracking for an order")
        case _:
            return sale.failed(outcome, sale.scope, "the marketplace does not take the parcel", Team.OPERATIONS)


async def _created(sale: Sale, intent: Intent, effect_id: EffectId, told: Announced, made: Shipment) -> Step:
    """Mirakl has the shipment; ship it if it does not count as shipped, and write it down."""
    announced = Announced(told.parcel, told.carrier, made.id)
    if made.status not in SHIPPED:
        outcome = await _ship(sale, intent, made.id)
        if not isinstance(outcome, Applied):
            return sale.failed(outcome, sale.scope, f"shipment {made.id} is there, and not shipped", Team.OPERATIONS)

    async def steps(tx: Transaction) -> None:
        await decide(tx.connection, effect_id, EffectState.APPLIED, f"shipment {made.id}")
        await _told(tx, sale, intent, announced, f"told as shipment {made.id}")

    await sale.write(steps)
    await fail_point(failpoints.SHIPMENT_WRITTEN)
    await sale.ask_read(1.0)
    return Settled()


async def _ship(sale: Sale, intent: Intent, shipment: str) -> Outcome[None]:
    effect_id = await sale.call_again("ST24", EffectClass.STATE, intent)
    outcome = await sale.services.mirakl[sale.scope].st24_ship_shipments(
        [shipment], effect_id=str(effect_id), usable_until=sale.turn.usable_until
    )
    one: Outcome[None] = outcome.value[shipment] if isinstance(outcome, Applied) else outcome
    await sale.call_ended(effect_id, "ST24", one)
    return one


async def _told(tx: Transaction, sale: Sale, intent: Intent, announced: Announced, words: str) -> None:
    await sale.done(tx, intent, announced, f"parcel {announced.parcel.number} {words}")
    if announced.parcel.shipped_at is not None:
        seconds = (sale.now - announced.parcel.shipped_at).total_seconds()
        metrics.shipped_to_told_seconds.labels(sale.scope).observe(max(0.0, seconds), exemplar())


async def _look(sale: Sale, intent: Intent, parcel: Parcel, doubt: OneDoubt) -> Step:
    """The answer of ST01 was lost: a shipment of these units and this tracking that we do not know is ours."""
    since = (sale.now - doubt.sent_at).total_seconds()
    if since < LOOK_SECONDS:
        return Waiting(sale.after(LOOK_SECONDS - since), "the answer of ST01 was lost; the order's shipments are read")
    if doubt.held:
        return Hold(Stop(intent.reason or "nobody knows whether it was told", Advice.DECIDE), Team.OPERATIONS)
    told = msgspec.json.decode(doubt.snapshot, type=Announced)
    answer = await _shipments(sale)
    if not isinstance(answer, Applied):
        return sale.failed(answer, sale.scope, "the order's shipments can't be read", Team.OPERATIONS)
    known = {announced.shipment for announced in sale.announced.values()}
    wanted = (dict(told.parcel.units), told.parcel.tracking.strip())
    found = [s for s in answer.value if s.id not in known and _as_told(s) == wanted]
    if len(found) == 1:
        return await _created(sale, intent, doubt.id, told, found[0])
    if found:
        words = f"the answer of ST01 was lost, and {len(found)} shipments of the order look like it"
        await sale.decided(doubt, EffectState.HELD, words)
        return Hold(Stop(words, Advice.DECIDE, {"call": str(doubt.id)}), Team.OPERATIONS)
    if since < LATE_SECONDS:
        return Waiting(sale.after(min(LATE_SECONDS - since, 60.0)), "a shipment in doubt is looked for")
    await sale.decided(doubt, EffectState.NOT_APPLIED, "not among the order's shipments")
    return Waiting(sale.now, "the parcel is told again")


def _as_told(shipment: Shipment) -> tuple[dict[str, int], str]:
    number = shipment.tracking.tracking_number if shipment.tracking else None
    return dict(shipment.units), (number or "").strip()


async def _shipments(sale: Sale) -> Outcome[list[Shipment]]:
    """All shipments of the order."""
    found, token = list[Shipment](), None
    while True:
        page = await sale.services.mirakl[sale.scope].st11_list_shipments([sale.order_id], page_token=token)
        if not isinstance(page, Applied):
            return page
        if page.value.rows.unreadable:
            return Unknown("a shipment of the order can't be read, and may be the one that is looked for")
        found += page.value.rows.items
        token = page.value.next_token
        if token is None:
            return Applied(found)


# ------------------------------------------------------------------------------------------ one tracking for an order


async def _tell_whole(sale: Sale, intent: Intent, dispatch: Dispatch, carrier: Carrier) -> Step:
    """Tracking first, then ship: OR24 takes none, and both bear repetition (field case 48)."""
    outcome = await _track(sale, intent, dispatch.parcel, carrier)
    if not isinstance(outcome, Applied):
        return sale.failed(outcome, sale.scope, "the marketplace does not take the tracking", Team.OPERATIONS)
    await fail_point(failpoints.SHIPMENT_SENT)
    effect_id = await sale.call_again("OR24", EffectClass.STATE, intent)
    outcome = await sale.services.mirakl[sale.scope].or24_ship_order(
        sale.order_id, effect_id=str(effect_id), usable_until=sale.turn.usable_until
    )
    await fail_point(failpoints.SHIPMENT_ANSWERED)
    await sale.call_ended(effect_id, "OR24", outcome)
    if not isinstance(outcome, Applied):
        return await _not_shipped(sale, outcome)
    return await _whole_told(sale, dispatch, carrier)


async def _whole_told(sale: Sale, dispatch: Dispatch, carrier: Carrier) -> Settled:
    left = [(dispatch.parcel, carrier), *((other, Carrier()) for other in dispatch.others)]
    by_parcel = {i.read(Parcel).shipment_id: i for i in sale.of(Kind.SHIPMENT)}

    async def steps(tx: Transaction) -> None:
        for parcel, its_carrier in left:
            words = "told with the whole order" + (f"; {dispatch.also}" if dispatch.also else "")
            await _told(tx, sale, by_parcel[parcel.shipment_id], Announced(parcel, its_carrier), words)

    await sale.write(steps)
    await fail_point(failpoints.SHIPMENT_WRITTEN)
    await sale.ask_read(1.0)
    return Settled()


async def _shipped_by_us(sale: Sale, market: Market) -> Step | None:
    """The order is shipped, and the answer of our OR24 was lost, or it was refused since one before it came late."""
    if sale.order.state not in SENT_STATES:
        return None
    if not await was_called(sale.services.database, sale.scope, sale.order_id, "OR24"):
        return None
    before = replace(sale.order, state=OrderState.SHIPPING, can_ship=True)
    found = to_send_whole(parcels(sale), before, {}, sale.excluded)
    if not isinstance(found, Dispatch):
        return None
    carrier = _carrier(sale, found.parcel, market)
    return await _whole_told(sale, found, carrier if isinstance(carrier, Carrier) else Carrier())


async def _not_shipped(sale: Sale, outcome: Outcome[None]) -> Step:
    """Refused since it is shipped already, after a lost answer: the order says so when it is read again."""
    assert not isinstance(outcome, Applied)
    if isinstance(outcome, Unknown):
        return await sale.ask_read(LOOK_SECONDS)
    if isinstance(outcome, Refused) and sale.now - sale.record.read_at > timedelta(seconds=LOOK_SECONDS):
        return await sale.ask_read()
    return sale.failed(outcome, sale.scope, "the marketplace does not take the order as shipped", Team.OPERATIONS)


async def _track(sale: Sale, intent: Intent, parcel: Parcel, carrier: Carrier) -> Outcome[None]:
    effect_id = await sale.call_again("OR23", EffectClass.SAFE, intent)
    outcome = await sale.services.mirakl[sale.scope].or23_update_tracking(
        sale.order_id, _tracking(parcel, carrier), effect_id=str(effect_id), usable_until=sale.turn.usable_until
    )
    await sale.call_ended(effect_id, "OR23", outcome)
    return outcome


# ------------------------------------------------------------------------------------------------ later differences


async def _differs(sale: Sale, intent: Intent, parcel: Parcel, told: Announced, market: Market) -> Step:
    """A parcel that was edited or removed after it was told: tracking is told anew, the rest is for people."""
    difference = changed(parcel, told.parcel)
    if difference is None:
        return await sale.end(intent, told, f"parcel {parcel.number} is as it was told")
    if difference.kind is not Changed.TRACKING or not told.carrier.code + told.carrier.name:
        stop = Stop(f"a parcel differs from what was told: {difference.kind}", Advice.BY_HAND, difference.evidence)
        return Hold(stop, Team.WAREHOUSE)
    carrier = _carrier(sale, parcel, market)
    if not isinstance(carrier, Carrier):
        return carrier
    if told.shipment:
        effect_id = await sale.call_again("ST23", EffectClass.SAFE, intent)
        answer = await sale.services.mirakl[sale.scope].st23_update_tracking(
            {told.shipment: _tracking(parcel, carrier)},
            effect_id=str(effect_id),
            usable_until=sale.turn.usable_until,
        )
        outcome: Outcome[None] = answer.value[told.shipment] if isinstance(answer, Applied) else answer
        await sale.call_ended(effect_id, "ST23", outcome)
    else:
        outcome = await _track(sale, intent, parcel, carrier)
    if not isinstance(outcome, Applied):
        return sale.failed(outcome, sale.scope, "the marketplace does not take the new tracking", Team.OPERATIONS)
    return await sale.end(intent, Announced(parcel, carrier, told.shipment), f"parcel {parcel.number}: tracking told")


FLOW = Flow(
    name=Kind.SHIPMENT.flow,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=32,
    lane_rank=RANKS[Kind.SHIPMENT],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=3600.0,
    retry_cap_seconds=60.0,
    fail_points=(failpoints.SHIPMENT_SENT, failpoints.SHIPMENT_ANSWERED, failpoints.SHIPMENT_WRITTEN),
)
