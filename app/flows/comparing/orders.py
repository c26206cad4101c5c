"""An order at the marketplace, here, and in Centra: whether all three know it, and as the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.centra.orders import OrderRead
from app.domain.orders import OPEN_STATES, OrderState
from app.domain.parity import Cause, Found, Kind
from app.domain.progress import Record
from app.flows.comparing.causes import under_way
from app.flows.order_look_back import Looked
from app.store.orders import ORDER_ENTRY, ORDERS
from app.store.parity import NO_WAY, Way

CANCELLED, INCOMPLETE = "CANCELLED", "INCOMPLETE"
CENTRA_ORDER = "Centra order"


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for all orders of a channel.

    `acts`: the channel sends; `follows`: what happens in Centra after the sale is followed, cancellations too.
    """

    acts: bool
    follows: bool
    looked: Looked | None


def compare(record: Record, there: Mapping[int, OrderRead], ways: Mapping[str, Way], around: Around) -> list[Found]:
    """How an order differs. `there`: what Centra knows of its numbers; `ways`: how each flow stands with it."""
    work = [ways.get(flow, NO_WAY) for flow in (ORDERS, ORDER_ENTRY)]
    found = [] if _is_told(record, around.looked) else [_of(record, "order", record.order.state, "absent")]
    if record.completed_at is None or record.number is None:
        return found + [under_way(one, work) for one in _unplaced(record, around)]
    numbers = (record.number, *record.parts)
    missing = [number for number in numbers if number not in there]
    if missing:
        return found + [_of(record, CENTRA_ORDER, str(number), "absent") for number in missing]
    return found + [under_way(one, work) for one in _standing(record, [there[n] for n in numbers], around)]


def _of(
    record: Record, member: str, ours: str, theirs: str, mend: str | None = None, *, cause: Cause = Cause.MISSED
) -> Found:
    return Found(Kind.ORDERS, record.order.order_id, member, ours, theirs, cause, mend=mend)


def _is_told(record: Record, looked: Looked | None) -> bool:
    """Whether the last export told the order, or need not have."""
    if looked is None:
        return True
    updated_at: datetime = record.order.updated_at
    return record.read_at >= looked.asked_at or not looked.since <= updated_at < looked.until


def _unplaced(record: Record, around: Around) -> list[Found]:
    """Nobody works on an order that Centra should have, or that waits for its answer."""
    order = record.order
    if not around.acts or record.ended_at is not None or not order.live_lines:
        return []
    if order.state == OrderState.WAITING_ACCEPTANCE and record.accepted_at is None and record.accept_sent_at is None:
        return [_of(record, "answer", "none", order.state, ORDERS)]
    if order.state == OrderState.SHIPPING and record.accepted_at is not None:
        return [_of(record, CENTRA_ORDER, order.state, "absent", ORDER_ENTRY)]
    return []


def _standing(record: Record, placed: Sequence[OrderRead], around: Around) -> list[Found]:
    """Cancelled, let go or held otherwise than we know."""
    state = record.order.state
    if state not in OPEN_STATES or not record.order.live_lines:
        return []
    if all(order.status == CANCELLED for order in placed):
        return [] if around.follows else [_of(record, "status", state, CANCELLED, cause=Cause.BY_HAND)]
    living = [order for order in placed if order.status != CANCELLED]
    blocked = [order.is_on_hold or order.is_waiting_for_payment for order in living]
    if record.blocked and not all(blocked):
        return [_of(record, "block", "blocked", "let go", ORDER_ENTRY)]
    if not record.blocked and any(blocked):
        words = "on hold" if any(order.is_on_hold for order in living) else "unpaid"
        return [_of(record, "block", "let go", words, cause=Cause.BY_HAND)]
    return []


def second(order_id: str, number: int, record: Record | None) -> Found | None:
    """A placed Centra order that bears our mark and is not the one that counts; None: it is."""
    if record is not None and number in (record.number, *record.parts):
        return None
    ours = "not known" if record is None else str(record.number or "none")
    return Found(Kind.ORDERS, order_id, f"second order {number}", ours, str(number))
