"""Mutations of orders. What the order does not allow becomes a userError, and then nothing is done."""

from collections.abc import Callable
from typing import Any

from app.sandbox.centra import orders
from app.sandbox.centra.call import Call
from app.sandbox.centra.order_entities import Address, IdConversion, Order, OrderLine
from app.sandbox.centra.order_stock import NotPossible
from app.sandbox.centra.writes import Mutation, Payload, Refused, resolver

_LONGEST_EXTERNAL_ID = 255
_PLAIN = ("is_on_hold", "is_internal", "internal_comment", "other_comment")


def set_id_conversions(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted = arguments["input"]
    named = [_convertible(call, entry["internal_id"], entry["external_id"]) for entry in wanted]
    entries = [_convert(call, order, entry["external_id"]) for order, entry in zip(named, wanted, strict=True)]
    return Payload(entries=entries)


def confirm_order(call: Call, arguments: dict[str, Any]) -> Payload:
    order = _order(call, arguments["input"]["order"], "input", "order")
    orders.confirm(call.shop, order)
    return Payload(order=order)


def allocate_order(call: Call, arguments: dict[str, Any]) -> Payload:
    order = _order(call, arguments["input"]["order"], "input", "order")
    orders.allocate_owed(call.shop, order)
    return Payload(order=order)


def cancel_order(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted = arguments["input"]
    order = _order(call, {"id": arguments["id"]}, "id")
    release = _releases(wanted["stock_action"], "input", "stockAction")
    orders.cancel(call.shop, order, release=release, reason=wanted.get("comment"))
    return Payload(order=order)


def update_order(call: Call, arguments: dict[str, Any]) -> Payload:
    """All that can fail is looked at before anything is changed. Countries stay as they are."""
    order, wanted = _order(call, arguments["order"], "order"), arguments["input"]
    given = {name for name, value in wanted.items() if value is not None}
    if "external_id" in given:
        _convertible(call, order.number, wanted["external_id"])
    if "cancel_lines" in given:
        cuts = [_cut(order, entry) for entry in wanted["cancel_lines"]]
        orders.cancel_units(call.shop, order, cuts, reason=wanted.get("cancellation_comment"))
    if "external_id" in given:
        _convert(call, order, wanted["external_id"])
    for name in given.intersection(_PLAIN):
        setattr(order, name, wanted[name])
    for name in given.intersection(("shipping_address", "billing_address")):
        address = getattr(order, name) or Address()
        for member, value in wanted[name].items():
            setattr(address, member, value)
        setattr(order, name, address)
    changed = sorted(given - {"cancel_lines", "cancellation_comment"})
    if changed:
        orders.note(
            call.shop,
            order,
            "UPDATE",
            changed=changed,
            on_hold=order.is_on_hold,
            reason=wanted.get("hold_status_change_reason"),
        )
    return Payload(order=order)


def _order(call: Call, reference: dict[str, Any], *path: str) -> Order:
    """The order that exactly one of id, number and externalId names."""
    named = {name: value for name, value in reference.items() if value is not None}
    if len(named) != 1:
        raise Refused("Exactly one of id, number and externalId is required", *path)
    entry = call.shop.conversions.get((call.integration, named.get("external_id", "")))
    number = entry.internal_id if entry else named.get("number", 0)
    found = call.shop.order_by_hash.get(named["id"]) if "id" in named else call.shop.orders.get(number)
    if found is None:
        raise Refused(f"Could not find order with {' '.join(map(str, *named.items()))}", *path)
    return found


def _releases(action: dict[str, Any], *path: str) -> bool:
    chosen = [name for name, value in action.items() if value]
    if len(chosen) != 1:
        raise Refused("Exactly one stock action is required", *path)
    return chosen == ["release_items_back_to_warehouse"]


def _cut(order: Order, entry: dict[str, Any]) -> tuple[OrderLine, int, bool]:
    path = ("input", "cancelLines")
    line = next((line for line in order.order_lines if line.id == entry["line"]["id"]), None)
    if line is None:
        raise Refused(f"Could not find order line with ID {entry['line']['id']}", *path)
    return line, entry["quantity"], _releases(entry["stock_action_policy"], *path)


def _convertible(call: Call, number: int, external_id: str) -> Order:
    order = call.shop.orders.get(number)
    if order is None:
        raise Refused(f"Could not find Order with ID {number}", "input")
    if not 0 < len(external_id) <= _LONGEST_EXTERNAL_ID:
        raise Refused(f"External id must have 1 to {_LONGEST_EXTERNAL_ID} characters", "input")
    if order.status == "INCOMPLETE" and call.shop.order_options.no_conversion_of_incomplete:
        raise Refused(f"Order {number} is incomplete", "input")
    return order


def _convert(call: Call, order: Order, external_id: str) -> IdConversion:
    """Names the order. Whatever bore the name before loses it silently."""
    shop, integration = call.shop, call.integration
    taken = shop.conversions.get((integration, external_id))
    if taken is not None and taken.internal_id == order.number:
        return taken
    if taken is not None:
        del shop.orders[taken.internal_id].external_ids[integration]
    former = order.external_ids.get(integration)
    if former is not None:
        del shop.conversions[integration, former.external_id]
    entry = IdConversion(next(shop.numbers.conversion), external_id, order.number, "Order", integration)
    shop.conversions[integration, external_id] = order.external_ids[integration] = entry
    orders.note(shop, order, "CONVERSION", event=None, external_id=external_id)
    return entry


def _resolver(mutation: Mutation) -> Callable[..., Payload]:
    def checked(call: Call, arguments: dict[str, Any]) -> Payload:
        try:
            return mutation(call, arguments)
        except NotPossible as impossible:
            raise Refused(str(impossible), "input") from impossible

    return resolver(checked)


FIELDS = {
    "Mutation.setIdConversions": _resolver(set_id_conversions),
    "Mutation.confirmOrder": _resolver(confirm_order),
    "Mutation.allocateOrder": _resolver(allocate_order),
    "Mutation.cancelDirectToConsumerOrder": _resolver(cancel_order),
    "Mutation.updateDirectToConsumerOrder": _resolver(update_order),
}
