"""What the marketplace shall be told of a Centra parcel, and what differs from what it was told (field cases 49-54).

A parcel that left is a fact: it waits for the marketplace or for a person, it is never dropped and never undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from app.domain.after_sale import Advice, Parcel, Stop
from app.domain.ids import OrderLineId
from app.domain.orders import ENDED_STATES, SENT_STATES, Order, OrderLine, OrderState
from app.policies.order_steps import Wait

Units = Mapping[OrderLineId, int]
REFUNDED = "REFUNDED"
"""The state of a line with nothing left to pay for; it need not be shipped any more."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A parcel to tell, with its units and its true time.

    `others`: where the order has room for one tracking only (OR23 + OR24), the parcels that left before.
    """

    parcel: Parcel
    others: tuple[Parcel, ...] = ()

    @property
    def also(self) -> str:
        """The other parcels in words, for where people read them."""
        return "; ".join(
            f"parcel {other.number}: {other.carrier or 'no carrier'} {other.tracking or 'without tracking'}"
            for other in self.others
        )


class Changed(StrEnum):
    """How a parcel differs from what the marketplace was told. Only `TRACKING` can be told; the others need people."""

    TRACKING = "its tracking was edited"
    TRACKING_GONE = "its tracking was taken away"
    UNITS = "it holds other units"
    REMOVED = "it was removed"


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Changed
    evidence: Mapping[str, str] = field(default_factory=dict)

    @property
    def tellable(self) -> bool:
        return self.kind is Changed.TRACKING


def to_send(
    parcel: Parcel, order: Order, sent: Mapping[int, Units], excluded: Units | None = None
) -> Dispatch | Stop | Wait | None:
    """The parcel as a shipment of its own (ST01), None if it has not left or was told.

    `sent`: units told before, by shipment id. `excluded`: units that our refunds took out of what is to be shipped,
    which OR11 does not show.
    """
    if not parcel.complete or parcel.shipment_id in sent:
        return None
    return _not_now(order, (parcel,)) or _beyond(order, (parcel,), sent, excluded or {}) or Dispatch(parcel)


def to_send_whole(
    parcels: Iterable[Parcel], order: Order, sent: Mapping[int, Units], excluded: Units | None = None
) -> Dispatch | Stop | Wait | None:
    """The whole order at once (OR23 + OR24), with the last parcel's tracking, None if nothing left or it was told.

    Waits until each unit that is still to be shipped is in a parcel that left: OR24 ships all of the order.
    """
    left = sorted((parcel for parcel in parcels if parcel.complete), key=_when)
    if not left or sent:
        return None
    if stop := _not_now(order, left) or _beyond(order, left, {}, excluded or {}):
        return stop
    packed = _packed(parcel.units for parcel in left)
    wanted = open_units(order, excluded or {})
    if any(packed[line_id] < units for line_id, units in wanted.items()):
        there = sum(min(packed[line_id], units) for line_id, units in wanted.items())
        return Wait(f"{there} of {sum(wanted.values())} units have left; it is told when the order is complete")
    return Dispatch(left[-1], tuple(left[:-1]))


def changed(parcel: Parcel | None, told: Parcel) -> Difference | None:
    """How a parcel, None if Centra has it no more, differs from what the marketplace was told of it."""
    if parcel is None or not parcel.complete:
        return Difference(Changed.REMOVED, {"parcel": told.number, "tracking": told.tracking})
    if _held(parcel.units) != _held(told.units):
        return Difference(Changed.UNITS, {"told": _words(told.units), "now": _words(parcel.units)})
    now, before = _tracking(parcel), _tracking(told)
    if now == before:
        return None
    gone = bool(told.tracking.strip()) and not parcel.tracking.strip()
    kind = Changed.TRACKING_GONE if gone else Changed.TRACKING
    return Difference(kind, {"told": " ".join(before), "now": " ".join(now)})


def open_units(order: Order, excluded: Units) -> dict[OrderLineId, int]:
    """All units that the marketplace means to have shipped, told or not, by line."""
    lines = (line for line in order.live_lines if line.state != REFUNDED)
    return {line.line_id: units for line in lines if (units := units_to_ship(line, excluded))}


def units_to_ship(line: OrderLine, excluded: Units) -> int:
    """Units of a line that may be shipped in all."""
    return line.quantity - line.cancelled_quantity - excluded.get(line.line_id, 0) if line.live else 0


def _not_now(order: Order, parcels: Sequence[Parcel]) -> Stop | Wait | None:
    """Why the marketplace takes no parcel of the order now."""
    evidence = {parcel.number: f"{parcel.carrier} {parcel.tracking}".strip() for parcel in parcels}
    if not order.ours:
        return Stop("the operator ships this order, a parcel of it left all the same", Advice.BY_HAND, evidence)
    if order.state in ENDED_STATES:
        words = f"the order is {order.state}, a parcel of it left: stop the parcel or settle it with the operator"
        return Stop(words, Advice.BY_HAND, evidence)
    if order.state in SENT_STATES:
        words = f"the marketplace has the order as {order.state} without this parcel"
        return Stop(words, Advice.BY_HAND, evidence)
    if order.state != OrderState.SHIPPING:
        return Wait(f"the parcel left while the order is {order.state}; it is told once the order may be shipped")
    return None if order.can_ship else Wait("the marketplace does not let the order be shipped yet")


def _beyond(order: Order, parcels: Sequence[Parcel], sent: Mapping[int, Units], excluded: Units) -> Stop | None:
    """Why the parcels do not fit what the order's lines have left."""
    lines = {line.line_id: line for line in order.lines}
    told = _packed(sent.values())
    for parcel in parcels:
        if not _held(parcel.units):
            return Stop(f"parcel {parcel.number} holds no line of the order that we know", Advice.BY_HAND)
    for line_id, units in _packed(parcel.units for parcel in parcels).items():
        line = lines.get(line_id)
        if line is None:
            return Stop(f"a parcel holds line {line_id}, which the order does not have", Advice.BY_HAND)
        left = units_to_ship(line, excluded) - told[line_id]
        if units > left:
            figures = {
                "ordered": str(line.quantity),
                "cancelled": str(line.cancelled_quantity),
                "excluded by refunds": str(excluded.get(line_id, 0)),
                "told as shipped": str(told[line_id]),
                "in the parcel": str(units),
            }
            words = f"line {line_id} has {max(left, 0)} units left to ship, the parcel holds {units}"
            return Stop(words, Advice.BY_HAND, figures)
    return None


def _packed(parcels: Iterable[Units]) -> Counter[OrderLineId]:
    total: Counter[OrderLineId] = Counter()
    for units in parcels:
        total.update(_held(units))
    return total


def _held(units: Units) -> dict[OrderLineId, int]:
    return {line_id: count for line_id, count in units.items() if count > 0}


def _when(parcel: Parcel) -> tuple[datetime, int]:
    return parcel.shipped_at or datetime.min.replace(tzinfo=UTC), parcel.shipment_id


def _tracking(parcel: Parcel) -> tuple[str, str, str]:
    return parcel.carrier.strip(), parcel.service.strip(), parcel.tracking.strip()


def _words(units: Units) -> str:
    return ", ".join(f"{count} of {line_id}" for line_id, count in sorted(_held(units).items())) or "nothing"
