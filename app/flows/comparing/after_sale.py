"""Parcels, cancellations and refunds, both ways: what Centra has against what the marketplace was told and
shows, and what the marketplace shows against what Centra has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from app.centra.after_sale import OrderAfterSale
from app.domain.after_sale import Given, Parcel, taken
from app.domain.ids import OrderLineId
from app.domain.orders import SENT_STATES, OrderState
from app.domain.parity import Cause, Found
from app.domain.parity import Kind as Compared
from app.domain.progress import Record
from app.flows.comparing.causes import under_way
from app.flows.order_follow import facts_of, given_there
from app.flows.order_reads import READS
from app.store.intents import ORDER_FOLLOW, Intent, Kind, State
from app.store.orders import ORDER_ENTRY
from app.store.parity import NO_WAY, Way

KINDS: Mapping[Kind, Compared] = {
    Kind.SHIPMENT: Compared.SHIPMENTS,
    Kind.CANCELLATION: Compared.CANCELLATIONS,
    Kind.REFUND: Compared.REFUNDS,
    Kind.CREDIT: Compared.REFUNDS,
}
FLOWS = (ORDER_FOLLOW, READS, *(kind.flow for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Sale:
    """One order with all that is known of it after its sale. `found`: its Centra orders, as read now; `in_doubt`: the
    answer of a call about its money was lost, so that a refund there may be that one.
    """

    record: Record
    found: Sequence[OrderAfterSale]
    known: Sequence[Intent]
    ways: Mapping[str, Way]
    in_doubt: bool = False

    def way(self, flow: str) -> Way:
        return self.ways.get(flow, NO_WAY)

    def of(self, kind: Compared, member: str, ours: str, theirs: str, mend: str | None = None) -> Found:
        """A difference of the order."""
        return Found(kind, self.record.order.order_id, member, ours, theirs, mend=mend)


def compare(sale: Sale) -> list[Found]:
    """How an order's two ends differ."""
    return [*_unnoted(sale), *_untold(sale), *_shipped(sale), *_cancelled(sale), *_refunded(sale)]


def _unnoted(sale: Sale) -> list[Found]:
    """Facts of either side that were never noted here, or otherwise."""
    known = {(intent.kind, intent.source_id): intent for intent in sale.known}
    facts = facts_of(sale.found, sale.known, sale.record)
    facts += [] if sale.in_doubt else given_there(sale.known, sale.record)
    found = []
    for kind, source, body, _ in facts:
        intent = known.get((kind, source))
        if intent is not None and msgspec.json.decode(intent.body) == msgspec.json.decode(msgspec.json.encode(body)):
            continue
        ours = "not noted" if intent is None else "noted otherwise"
        side = "at the marketplace" if kind is Kind.CREDIT else "in Centra"
        one = sale.of(KINDS[kind], source, ours, side, ORDER_FOLLOW)
        found.append(under_way(one, [sale.way(ORDER_FOLLOW)]))
    return found


def _untold(sale: Sale) -> list[Found]:
    """Facts that are noted and have no end yet: waiting may be right, so nobody is asked for it."""
    found = []
    for intent in sale.known:
        if intent.state is State.DONE or intent.kind not in KINDS:
            continue
        if intent.kind is Kind.SHIPMENT and not intent.read(Parcel).complete and intent.told is None:
            continue  # taken back before it was told
        one = replace(sale.of(KINDS[intent.kind], intent.source_id, "noted", "not told", intent.kind.flow), asks=False)
        if intent.state is State.HELD:
            found.append(replace(one, cause=Cause.HELD, words=intent.reason or ""))
            continue
        found.append(under_way(one, [sale.way(intent.kind.flow), Way(since=intent.changed_at)]))
    return found


def _shipped(sale: Sale) -> list[Found]:
    order = sale.record.order
    parcels = [intent for intent in sale.known if intent.kind is Kind.SHIPMENT]
    shipped = any(shipment.is_shipped for one in sale.found for shipment in one.shipments)
    if order.state in SENT_STATES and not shipped and order.live_lines and not all(o.is_cancelled for o in sale.found):
        one = sale.of(Compared.SHIPMENTS, "state", "not shipped", order.state)
        return [replace(one, cause=Cause.BY_HAND)]
    if order.state != OrderState.SHIPPING or not parcels or any(p.state is not State.DONE for p in parcels):
        return []
    units = Counter[OrderLineId]()
    for intent in parcels:
        parcel = intent.read(Parcel)
        units.update(parcel.units if parcel.complete else {})
    for one_order in sale.found:
        units.update({OrderLineId(line_id): count for line_id, count in one_order.cancelled.items()})
    left = [line for line in order.live_lines if units[line.line_id] < line.quantity - line.cancelled_quantity]
    told_at = max(intent.changed_at for intent in parcels)
    if left:
        return []
    one = sale.of(Compared.SHIPMENTS, "state", OrderState.SHIPPED, order.state, READS)
    if sale.record.read_at <= told_at:  # told since the order was read
        return [replace(one, cause=Cause.ON_ITS_WAY, words="not read again yet", since=told_at)]
    return [under_way(one, [sale.way(READS)])]


def _cancelled(sale: Sale) -> list[Found]:
    """Units that the marketplace cancelled and Centra would ship."""
    if not sale.found:
        return []
    entered = Counter[str]()
    gone = Counter[str]()
    for order in sale.found:
        gone.update(order.cancelled)
        for entry in order.lines:
            whole = entry.quantity + (0 if order.is_cancelled else entry.cancelled_quantity)
            entered[(entry.comment or "").strip()] += whole
    found = []
    for line in sale.record.order.lines:
        there = line.cancelled_quantity if line.live else line.quantity
        wanted = min(there, entered[line.line_id])
        if gone[line.line_id] < wanted:
            words = (f"{gone[line.line_id]} cancelled", f"{there} cancelled")
            one = sale.of(Compared.CANCELLATIONS, f"line {line.line_id}", *words, ORDER_ENTRY)
            found.append(under_way(one, [sale.way(ORDER_ENTRY), sale.way(Kind.CANCELLATION.flow)]))
    return found


def _refunded(sale: Sale) -> list[Found]:
    """Refunds that the marketplace took of us, and shows otherwise."""
    order = sale.record.order
    given = [
        (intent, one)
        for intent in sale.known
        if intent.kind in (Kind.REFUND, Kind.CANCELLATION)
        for one in intent.answer(tuple[Given, ...]) or ()
        if one.ids
    ]
    shown: dict[str, Decimal] = {}
    for entry in taken(order, [one for _, one in given]):
        shown[entry.refund_id] = shown.get(entry.refund_id, Decimal(0)) + entry.amount + entry.shipping
    found = []
    for intent, one in given:
        ours = sum((line.amount + line.shipping for line in one.lines), Decimal(0))
        there = [shown[id_] for id_ in one.ids if id_ in shown]
        theirs = sum(there, Decimal(0))
        if len(there) == len(one.ids) and ours == theirs:
            continue
        words = f"{theirs} {order.currency}" if there else "absent"
        difference = sale.of(Compared.REFUNDS, f"refund {', '.join(one.ids)}", f"{ours} {order.currency}", words)
        if sale.record.read_at <= intent.changed_at:
            difference = replace(
                difference, cause=Cause.ON_ITS_WAY, words="not read again yet", since=intent.changed_at
            )
        found.append(difference)
    return found
