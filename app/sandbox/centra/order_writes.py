"""Mutations of orders. What the order does not allow becomes a userError, and then nothing is done."""

from collections.abc import Callable
from typing import Any

from app.sandbox.centra import names, orders
from app.sandbox.centra.call import Call
from app.sandbox.centra.order_entities import Address, Order, OrderLine
from app.sandbox.centra.order_stock import NotPossible
from app.sandbox.centra.writes import Mutation, Payload, Refused, resolver

_PLAIN = ("is_on_hold", "is_internal", "internal_comment", "other_comment")


def set_id_conversions(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted = arguments["input"]
    targets = [names.convertible(call, e["object_type"], e["internal_id"], e["external_id"]) for e in wanted]
    entries = [names.convert(call, target, e["external_id"]) for target, e in zip(targets, wanted, strict=True)]
    return Payload(entries=entries)


def confirm_order(call: Call, arguments: dict[str, Any]) -> Payload:
    order = names.order_named(call, arguments["input"]["order"], "input", "order")
    orders.confirm(call.shop, order)
    return Payload(order=order)


def allocate_order(call: Call, arguments: dict[str, Any]) -> Payload:
    order = names.order_named(call, arguments["input"]["order"], "input", "order")
    orders.allocate_owed(call.shop, order)
    return Payload(order=order)


def cancel_order(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted = arguments["input"]
    order = names.order_named(call, {"id": arguments["id"]}, "id")
    release = releases(wanted["stock_action"], "input", "stockAction")
    orders.cancel(call.shop, order, release=release, reason=wanted.get("comment"))
    return Payload(order=order)


def update_order(call: Call, arguments: dict[str, Any]) -> Payload:
    """All that can fail is looked at before anything is changed. Countries stay as they are."""
    order, wanted = names.order_named(call, arguments["order"], "order"), arguments["input"]
    given = {name for name, value in wanted.items() if value is not None}
    if "external_id" in given:
        names.convertible(call, "Order", order.number, wanted["external_id"])
    if "cancel_lines" in given:
        cuts = [_cut(order, entry) for entry in wanted["cancel_lines"]]
        orders.cancel_units(call.shop, order, cuts, reason=wanted.get("cancellation_comment"))
    if "external_id" in given:
        names.convert(call, order, wanted["external_id"])
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


def releases(action: dict[str, Any], *path: str) -> bool:
    chosen = [name for name, value in action.items() if value]
    if len(chosen) != 1:
        raise Refused("Exactly one stock action is required", *path)
    return chosen == ["release_items_back_to_warehouse"]


def _cut(order: Order, entry: dict[str, Any]) -> tuple[OrderLine, int, bool]:
    path = ("input", "cancelLines")
    line = next((line for line in order.order_lines if line.id == entry["line"]["id"]), None)
    if line is None:
        raise Refused(f"Could not find order line with ID {entry['line']['id']}", *path)
    return line, entry["quantity"], releases(entry["stock_action_policy"], *path)


def checked(mutation: Mutation) -> Callable[..., Payload]:
    def within(call: Call, arguments: dict[str, Any]) -> Payload:
        try:
            return mutation(call, arguments)
        except NotPossible as impossible:
            raise Refused(str(impossible), "input") from impossible

    return resolver(within)


FIELDS = {
    "Mutation.setIdConversions": checked(set_id_conversions),
    "Mutation.confirmOrder": checked(confirm_order),
    "Mutation.allocateOrder": checked(allocate_order),
    "Mutation.cancelDirectToConsumerOrder": checked(cancel_order),
    "Mutation.updateDirectToConsumerOrder": checked(update_order),
}
