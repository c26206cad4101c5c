"""What integrations call orders, shipments and returns, and finding them by it."""

from typing import Any

from app.sandbox.centra.after_entities import Return, Shipment
from app.sandbox.centra.call import Call
from app.sandbox.centra.order_entities import IdConversion, Order
from app.sandbox.centra.orders import note
from app.sandbox.centra.writes import Refused

_LONGEST_EXTERNAL_ID = 255
Named = Order | Shipment | Return


def order_named(call: Call, reference: dict[str, Any], *path: str) -> Order:
    """The order that exactly one of id, number and externalId names."""
    name, value = _only_one(reference, "id, number and externalId", path)
    if name == "external_id":
        found = call.shop.orders.get(_internal(call, "Order", value))
    else:
        found = call.shop.order_by_hash.get(value) if name == "id" else call.shop.orders.get(value)
    if found is None:
        raise Refused(f"Could not find order with {name} {value}", *path)
    return found


def shipment_named(call: Call, reference: dict[str, Any], *path: str) -> Shipment:
    """The shipment that exactly one of id and externalId names."""
    name, value = _only_one(reference, "id and externalId", path)
    found = call.shop.shipments.get(value if name == "id" else _internal(call, "Shipment", value))
    if found is None:
        raise Refused(f"Could not find shipment with {name} {value}", *path)
    return found


def convertible(call: Call, object_type: str, internal_id: int, external_id: str) -> Named:
    """The object of that internal id (of an order its number), if it may be given that name."""
    found = _object(call, object_type, internal_id)
    if found is None:
        raise Refused(f"Could not find {object_type} with ID {internal_id}", "input")
    check_name(external_id)
    strict = call.shop.order_options.no_conversion_of_incomplete
    if strict and isinstance(found, Order) and found.status == "INCOMPLETE":
        raise Refused(f"Order {internal_id} is incomplete", "input")
    return found


def check_name(external_id: str) -> None:
    if not 0 < len(external_id) <= _LONGEST_EXTERNAL_ID:
        raise Refused(f"External id must have 1 to {_LONGEST_EXTERNAL_ID} characters", "input")


def convert(call: Call, target: Named, external_id: str) -> IdConversion:
    """Names the object. Whatever of its type bore the name before loses it silently."""
    shop, integration = call.shop, call.integration
    object_type = type(target).__name__
    internal_id = target.number if isinstance(target, Order) else target.id
    taken = shop.conversions.get((integration, object_type, external_id))
    if taken is not None and taken.internal_id == internal_id:
        return taken
    bearer = _object(call, object_type, taken.internal_id) if taken else None
    if bearer is not None:
        del bearer.external_ids[integration]
    former = target.external_ids.get(integration)
    if former is not None:
        del shop.conversions[integration, object_type, former.external_id]
    entry = IdConversion(next(shop.numbers.conversion), external_id, internal_id, object_type, integration)
    shop.conversions[integration, object_type, external_id] = target.external_ids[integration] = entry
    order = target if isinstance(target, Order) else target.order
    note(shop, order, "CONVERSION", event=None, external_id=external_id, object_type=object_type)
    return entry


def _object(call: Call, object_type: str, internal_id: int) -> Named | None:
    shop = call.shop
    known: dict[str, dict[int, Any]] = {"Order": shop.orders, "Shipment": shop.shipments, "Return": shop.returns}
    found: Named | None = known[object_type].get(internal_id)
    return found


def _only_one(reference: dict[str, Any], members: str, path: tuple[str, ...]) -> tuple[str, Any]:
    named = {name: value for name, value in reference.items() if value is not None}
    if len(named) != 1:
        raise Refused(f"Exactly one of {members} is required", *path)
    return next(iter(named.items()))


def _internal(call: Call, object_type: str, external_id: str) -> int:
    """0 when nothing has that name."""
    entry = call.shop.conversions.get((call.integration, object_type, external_id))
    return entry.internal_id if entry else 0
