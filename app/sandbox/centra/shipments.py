"""Shipments of an order: packed, changed, sent off, taken away again.

What is packed stays allocated until the shipment is completed; then it leaves the shelf. One that is completed may
still be changed, and be taken away as long as nothing of it has come back.

Ledger: PACK, SHIP, SHIPMENT_UPDATE, SHIPMENT_REMOVE, each with the order's `number` and the `shipment`.
"""

from dataclasses import dataclass, replace

from app.sandbox.centra.after_entities import CarrierInformation, Shipment, ShipmentLine
from app.sandbox.centra.order_entities import Order, OrderLine
from app.sandbox.centra.order_stock import NotPossible, ship_back, ship_out
from app.sandbox.centra.orders import note, settle
from app.sandbox.centra.shop import Shop


@dataclass(frozen=True, slots=True)
class Change:
    """What a person, or a warehouse system, writes on a shipment; None: stays, an empty text: is taken off."""

    carrier: str | None = None
    service: str | None = None
    packages: int | None = None
    tracking_number: str | None = None
    return_tracking: str | None = None
    good_to_go: bool | None = None
    paid: bool | None = None


_NOTHING = Change()


def create(
    shop: Shop,
    order: Order,
    units: list[tuple[OrderLine, int]],
    change: Change = _NOTHING,
    *,
    complete_now: bool = False,
) -> Shipment:
    """A shipment of allocated units that are in no other."""
    _check_shippable(order)
    _check_units(units)
    now = shop.now()
    order.shipments_made += 1
    shipment = Shipment(
        id=next(shop.numbers.shipment),
        number=f"{order.number}-{order.shipments_made}",
        order=order,
        lines=[ShipmentLine(next(shop.numbers.shipment_line), quantity, line) for line, quantity in units],
        created_at=now,
        updated_at=now,
    )
    # Money that was captured with the order is assigned to what is shipped of it.
    captured = any((e.entry_type, e.status) == ("CAPTURE", "SUCCESS") for e in order.payment_history)
    _write(shipment, replace(change, paid=True) if captured else change)
    for line, quantity in units:
        line.packed_quantity += quantity
    order.shipments.append(shipment)
    shop.shipments[shipment.id] = shipment
    settle(order)
    _emit(shop, shipment, "CREATED")
    if shipment.is_good_to_go:
        _emit(shop, shipment, "GOOD_TO_GO")
    note(shop, order, "PACK", event=None if complete_now else "UPDATED", shipment=shipment.id)
    if complete_now:
        complete(shop, shipment)
    return shipment


def complete(shop: Shop, shipment: Shipment, change: Change = _NOTHING, *, shipped_at: float | None = None) -> None:
    """Its units leave the shelf, and the order when nothing is left."""
    order = shipment.order
    if shipment.is_shipped:
        raise NotPossible(f"shipment {shipment.number} is completed already")
    _check_shippable(order)
    _write(shipment, change)
    for line in shipment.lines:
        line.order_line.packed_quantity -= line.quantity
        line.taken_from = ship_out(shop, line.order_line, line.quantity)
    shipment.updated_at = shop.now()
    shipment.shipped_at = shipment.updated_at if shipped_at is None else shipped_at
    settle(order)
    _emit(shop, shipment, "COMPLETED")
    note(shop, order, "SHIP", shipment=shipment.id)


def update(shop: Shop, shipment: Shipment, change: Change) -> None:
    packed_before = shipment.is_good_to_go
    _write(shipment, change)
    shipment.updated_at = shop.now()
    settle(shipment.order)
    _emit(shop, shipment, "UPDATED")
    if shipment.is_good_to_go and not packed_before:
        _emit(shop, shipment, "GOOD_TO_GO")
    note(shop, shipment.order, "SHIPMENT_UPDATE", shipment=shipment.id, tracking_number=shipment.tracking_number)


def remove(shop: Shop, shipment: Shipment) -> None:
    """Its units are the order's again, allocated as before; its number is never given twice."""
    if any(line.claimed_quantity for line in shipment.lines):
        raise NotPossible(f"shipment {shipment.number} has a return")
    for line in shipment.lines:
        if shipment.is_shipped:
            ship_back(shop, line.order_line, line.taken_from)
        else:
            line.order_line.packed_quantity -= line.quantity
    shipment.order.shipments.remove(shipment)
    shop.forget_names("Shipment", shipment.external_ids)
    del shop.shipments[shipment.id]
    settle(shipment.order)
    _emit(shop, shipment, "DELETED")
    note(shop, shipment.order, "SHIPMENT_REMOVE", shipment=shipment.id)


def _check_shippable(order: Order) -> None:
    if order.status not in ("PENDING", "CONFIRMED", "PROCESSING") or order.is_on_hold or order.is_waiting_for_payment:
        raise NotPossible(f"order {order.number} must not be shipped")


def _check_units(units: list[tuple[OrderLine, int]]) -> None:
    wanted: dict[int, int] = {}
    for line, quantity in units:
        wanted[line.id] = wanted.get(line.id, 0) + quantity
        left = line.allocated_quantity - line.packed_quantity
        if quantity < 1 or wanted[line.id] > left:
            raise NotPossible(f"line {line.id} has {left} allocated units to ship")
    if not wanted:
        raise NotPossible("a shipment has units")


def _write(shipment: Shipment, change: Change) -> None:
    if change.carrier is not None or change.service is not None:
        former = shipment.carrier_information or CarrierInformation(None, None)
        carrier = former.carrier_name if change.carrier is None else change.carrier or None
        service = former.service_name if change.service is None else change.service or None
        shipment.carrier_information = CarrierInformation(carrier, service) if carrier or service else None
    if change.packages is not None:
        shipment.number_of_packages = change.packages
    if change.tracking_number is not None:
        shipment.tracking_number = change.tracking_number or None
    if change.return_tracking is not None:
        shipment.return_tracking_number = change.return_tracking or None
    if change.good_to_go is not None:
        shipment.is_good_to_go = change.good_to_go
    if change.paid is not None:
        shipment.is_paid = change.paid


def _emit(shop: Shop, shipment: Shipment, change_type: str) -> None:
    """GOOD_TO_GO is a webhook's word alone: nobody can listen to an event of that type."""
    shop.emit("Shipment", change_type, shipment.id, shipment.store, shipment.market)
