"""Mutations of shipments and returns. What they do not allow becomes a userError, and then nothing is done."""

from decimal import Decimal
from typing import Any

from app.sandbox.centra import names, returns, shipments
from app.sandbox.centra.after_entities import Return, Shipment, ShipmentLine
from app.sandbox.centra.call import Call
from app.sandbox.centra.order_entities import OrderLine, cents
from app.sandbox.centra.order_writes import checked, releases
from app.sandbox.centra.writes import Payload, Refused

_ZERO = Decimal(0)


def create_shipment(call: Call, arguments: dict[str, Any]) -> Payload:
    """Capturing is a payment provider's, and there is none: as in the reference, it fails in a warning."""
    wanted = arguments["input"]
    order = names.order_named(call, wanted["order"], "input", "order")
    name = _name(wanted)
    if wanted.get("lines") is None:
        units = [(line, line.allocated_quantity - line.packed_quantity) for line in order.order_lines]
        units = [(line, quantity) for line, quantity in units if quantity > 0]
    else:
        known = {line.id: line for line in order.order_lines}
        units = [_order_line(known, entry) for entry in wanted["lines"]]
    made = shipments.create(call.shop, order, units, _change(wanted))
    if name is not None:
        names.convert(call, made, name)
    payload = Payload(shipment=made)
    if wanted.get("capture") and not made.is_paid:
        payload.user_warnings = [Payload(message="Capture failed", path=["input", "capture"])]
    return payload


def update_shipment(call: Call, arguments: dict[str, Any]) -> Payload:
    shipment, wanted = _shipment(call, arguments["id"]), arguments["input"]
    name = _name(wanted)
    shipments.update(call.shop, shipment, _change(wanted))
    if name is not None:
        names.convert(call, shipment, name)
    return Payload(shipment=shipment)


def complete_shipment(call: Call, arguments: dict[str, Any]) -> Payload:
    shipment, wanted = _shipment(call, arguments["id"]), arguments["input"]
    shipments.complete(call.shop, shipment, _change(wanted), shipped_at=wanted.get("shipped_at"))
    return Payload(shipment=shipment)


def create_return(call: Call, arguments: dict[str, Any]) -> Payload:
    """No shipment here has handling of its own, so what is asked of it is too much."""
    wanted = arguments["input"]
    shipment = names.shipment_named(call, wanted["shipment"], "input", "shipment")
    name = _name(wanted)
    known = {line.id: line for line in shipment.lines}
    costs = returns.Costs(
        shipping=_cost(shipment, wanted.get("shipping_cost"), shipment.shipping_left, "shippingCost"),
        handling=_cost(shipment, wanted.get("handling_cost"), _ZERO, "handlingCost"),
        return_cost=_amount(shipment, wanted.get("return_cost"), "returnCost"),
    )
    made = returns.create(
        call.shop,
        shipment,
        [_shipment_line(known, entry) for entry in wanted["lines"]],
        costs,
        release=releases(wanted["return_stock_action_policy"], "input", "returnStockActionPolicy"),
        comment=wanted.get("comment"),
        created_at=wanted.get("created_at"),
    )
    if name is not None:
        names.convert(call, made, name)
    return _payload(made)


def complete_return(call: Call, arguments: dict[str, Any]) -> Payload:
    made = _return(call, arguments["id"])
    returns.complete(call.shop, made)
    return _payload(made)


def uncomplete_return(call: Call, arguments: dict[str, Any]) -> Payload:
    made = _return(call, arguments["id"])
    returns.uncomplete(call.shop, made)
    return _payload(made)


def delete_return(call: Call, arguments: dict[str, Any]) -> Payload:
    """Answers with what is gone."""
    made = _return(call, arguments["id"])
    returns.delete(call.shop, made)
    return _payload(made)


def _payload(made: Return) -> Payload:
    return Payload(**{"return": made})


def _shipment(call: Call, number: int) -> Shipment:
    return names.shipment_named(call, {"id": number}, "id")


def _return(call: Call, number: int) -> Return:
    found = call.shop.returns.get(number)
    if found is None:
        raise Refused(f"Could not find return with ID {number}", "id")
    return found


def _name(wanted: dict[str, Any]) -> str | None:
    """The external id, looked at before anything is done."""
    name: str | None = wanted.get("external_id")
    if name is not None:
        names.check_name(name)
    return name


def _change(wanted: dict[str, Any]) -> shipments.Change:
    info = wanted.get("shipment_info") or {}
    return shipments.Change(
        carrier=info.get("carrier"),
        service=info.get("service"),
        packages=info.get("packages_number"),
        tracking_number=info.get("tracking_number"),
        return_tracking=info.get("return_tracking_number"),
        good_to_go=wanted.get("is_good_to_go"),
        paid=wanted.get("is_paid"),
    )


def _order_line(known: dict[int, OrderLine], entry: dict[str, Any]) -> tuple[OrderLine, int]:
    number = entry["order_line"]["id"]
    if number not in known:
        raise Refused(f"Could not find order line with ID {number}", "input", "lines")
    return known[number], entry["quantity"]


def _shipment_line(known: dict[int, ShipmentLine], entry: dict[str, Any]) -> tuple[ShipmentLine, int]:
    number = entry["shipment_line"]["id"]
    if number not in known:
        raise Refused(f"Could not find shipment line with ID {number}", "input", "lines")
    return known[number], entry["quantity"]


def _cost(shipment: Shipment, policy: dict[str, Any] | None, left: Decimal, member: str) -> Decimal:
    """What the policy gives back of a cost of which so much is left on the shipment."""
    given = {name: value for name, value in (policy or {}).items() if value is not None and value is not False}
    if len(given) > 1:
        raise Refused("Exactly one of value and fromShipment is required", "input", member)
    amount = left if "from_shipment" in given else _amount(shipment, given.get("value"), member)
    if amount > left:
        raise Refused(f"{member} cannot exceed {left}, what remains on the shipment", "input", member)
    return amount


def _amount(shipment: Shipment, money: dict[str, Any] | None, member: str) -> Decimal:
    if money is None:
        return _ZERO
    currency = shipment.order.pricelist.currency.code
    if money["currency_iso_code"] != currency:
        raise Refused(f"The order is in {currency}", "input", member)
    return cents(Decimal(str(money["value"])))


FIELDS = {
    "Mutation.createShipment": checked(create_shipment),
    "Mutation.updateShipment": checked(update_shipment),
    "Mutation.completeShipment": checked(complete_shipment),
    "Mutation.createReturn": checked(create_return),
    "Mutation.completeReturn": checked(complete_return),
    "Mutation.uncompleteReturn": checked(uncomplete_return),
    "Mutation.deleteReturn": checked(delete_return),
}
