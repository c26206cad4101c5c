"""A return is made in Centra once: pending, where goods are expected, or completed, where money went back already.

`createReturn` has no idempotency key: a *create* effect, found again by the external id that it was given. What
somebody else made for the same units is taken as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app import failpoints
from app.centra.after_sale import OrderAfterSale
from app.centra.returns import COMPLETED, NewReturn, ReturnRead
from app.centra.shipments import ShipmentRead
from app.domain.after_sale import Advice, Stop
from app.domain.ids import OrderLineId
from app.domain.teams import Team
from app.failpoints import fail_point
from app.flows.after_sale.turn import Hold, Sale, Step
from app.store.effects import EffectClass, EffectState, OpenDoubtError
from app.store.intents import Intent
from app.store.outbox import Waiting
from app.wire.outcome import Applied, Outcome, Unknown

DOUBT = "centra_return"
LOOK_SECONDS, LATE_SECONDS = 15.0, 660.0


@dataclass(frozen=True, slots=True)
class Made:
    """The return as it stands in Centra."""

    id: int
    completed: bool


async def make_return(
    sale: Sale, reference: str, units: Mapping[OrderLineId, int], comment: str, intent: Intent | None = None
) -> Made | Step:
    """The one return in Centra of these units that bears this reference, made if it is not there yet."""
    orders = await in_centra(sale)
    if not isinstance(orders, Applied):
        return sale.failed(orders, sale.services.source, "the order can't be read in Centra", Team.CUSTOMER_SERVICE)
    doubt = await sale.doubt(DOUBT)
    found = _found(orders.value, reference, units)
    if found is not None:
        if doubt is not None:
            await sale.decided(doubt, EffectState.APPLIED, f"return {found.id} is in Centra")
        return Made(found.id, found.return_status == COMPLETED)
    if doubt is not None:
        since = (sale.now - doubt.sent_at).total_seconds()
        if since < LATE_SECONDS:
            return Waiting(sale.after(min(LOOK_SECONDS, LATE_SECONDS - since)), "a return in doubt is looked for")
        await sale.decided(doubt, EffectState.NOT_APPLIED, "not among the order's returns in Centra")
    shipment = _shipment(orders.value, units)
    if shipment is None:
        stop = Stop("no parcel of the order in Centra holds all of these units", Advice.BY_HAND)
        return Hold(stop, Team.CUSTOMER_SERVICE)
    return await _create(sale, reference, shipment, units, comment, intent)


async def in_centra(sale: Sale) -> Outcome[Sequence[OrderAfterSale]]:
    """The order's Centra orders, parts included, with their parcels and returns."""
    numbers = [number for number in (sale.record.number, *sale.record.parts) if number is not None]
    answer = await sale.services.centra.read_after_sale(numbers)
    if not isinstance(answer, Applied):
        return answer
    if answer.value.unreadable:
        return Unknown("Centra's answer could not be read in part")
    return Applied(answer.value.items)


async def _create(
    sale: Sale,
    reference: str,
    shipment: ShipmentRead,
    units: Mapping[OrderLineId, int],
    comment: str,
    intent: Intent | None,
) -> Made | Step:
    try:
        effect_id = await sale.call_once("ReturnCreate", DOUBT, intent, reference)
    except OpenDoubtError:
        return Waiting(sale.after(LOOK_SECONDS), "another return of the order is in doubt")
    await fail_point(failpoints.CENTRA_RETURN_SENT)
    outcome = await sale.services.centra.create_return(
        NewReturn(shipment.id, _by_line(shipment, units), sale.order.currency, comment=comment, external_id=reference),
        effect_id=str(effect_id),
        usable_until=sale.turn.usable_until,
    )
    await fail_point(failpoints.CENTRA_RETURN_ANSWERED)
    await sale.call_ended(effect_id, "ReturnCreate", outcome)
    if isinstance(outcome, Applied):
        return Made(outcome.value.id, outcome.value.status == COMPLETED)
    if isinstance(outcome, Unknown):
        return Waiting(sale.after(LOOK_SECONDS), "the answer of createReturn was lost; it is looked for")
    return sale.failed(outcome, sale.services.source, "Centra does not make the return", Team.CUSTOMER_SERVICE)


async def complete_return(sale: Sale, made: Made, intent: Intent) -> Made | Step:
    """The units count as back, and the credit stands. A *state* effect: a lost answer is seen at the next look."""
    effect_id = await sale.call_again("ReturnComplete", EffectClass.STATE, intent)
    outcome = await sale.services.centra.complete_return(
        made.id, effect_id=str(effect_id), usable_until=sale.turn.usable_until
    )
    await sale.call_ended(effect_id, "ReturnComplete", outcome)
    if isinstance(outcome, Applied):
        return Made(made.id, completed=True)
    return sale.failed(outcome, sale.services.source, "Centra does not complete the return", Team.CUSTOMER_SERVICE)


def _found(orders: Sequence[OrderAfterSale], reference: str, units: Mapping[OrderLineId, int]) -> ReturnRead | None:
    """The return that bears the reference, else one that bears none and has the same units."""
    returns = [found for order in orders for found in order.returns]
    named = next((found for found in returns if found.external_id == reference), None)
    if named is not None:
        return named
    wanted = +Counter(units)
    return next((found for found in returns if not found.external_id and _units(found) == wanted), None)


def _units(found: ReturnRead) -> Counter[OrderLineId]:
    units: Counter[OrderLineId] = Counter()
    for line in found.lines:
        units[OrderLineId(line.comment)] += line.quantity
    return units


def _shipment(orders: Sequence[OrderAfterSale], units: Mapping[OrderLineId, int]) -> ShipmentRead | None:
    """A parcel that left and holds all of these units, not returned yet."""
    for shipment in (s for order in orders for s in order.shipments if s.is_shipped):
        left: Counter[OrderLineId] = Counter()
        for line in shipment.lines:
            left[OrderLineId(line.comment)] += line.quantity - line.returned_quantity
        if all(left[line_id] >= count for line_id, count in units.items()):
            return shipment
    return None


def _by_line(shipment: ShipmentRead, units: Mapping[OrderLineId, int]) -> dict[int, int]:
    """Units by shipment line: an order line may be several of them."""
    wanted, found = Counter(units), dict[int, int]()
    for line in shipment.lines:
        here = min(wanted[OrderLineId(line.comment)], line.quantity - line.returned_quantity)
        if here > 0:
            found[line.id] = here
            wanted[OrderLineId(line.comment)] -= here
    return found
