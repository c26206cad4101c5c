"""Resolvers of mutations. All answer with userErrors and userWarnings; a mutation that has errors did
nothing.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from graphql import GraphQLResolveInfo

from app.sandbox.centra import stock
from app.sandbox.centra.call import Call
from app.sandbox.centra.entities import ProductSize, ProductVariant, Warehouse
from app.sandbox.centra.shop import Shop
from app.sandbox.faults import Fault

Payload = SimpleNamespace
Mutation = Callable[[Call, dict[str, Any]], Payload]


class Refused(Exception):  # noqa: N818 - says what it is
    """The mutation cannot be done; becomes one userError."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = list(path)


def set_event_listeners(call: Call, arguments: dict[str, Any]) -> Payload:
    listeners = call.events.set_listeners(call.integration, arguments["input"])
    return Payload(event_listeners=listeners)


def unset_event_listeners(call: Call, arguments: dict[str, Any]) -> Payload:
    listeners = call.events.unset_listeners(call.integration, arguments["input"])
    return Payload(event_listeners=listeners)


def confirm_events(call: Call, arguments: dict[str, Any]) -> Payload:
    queue = call.events.queue(call.integration)
    confirmed = queue.confirm(arguments["input"]["events_ids"])
    call.shop.ledger.record("events_confirmed", count=len(confirmed))
    return Payload(events=confirmed)


def set_stock(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted = arguments["input"]
    shop = call.shop
    warehouse = _warehouse(shop, wanted["warehouse"], "input", "warehouse")
    levels: list[tuple[ProductSize, int]] = []
    for entry in wanted.get("product_variants") or ():
        variant = _variant(shop, entry["product_variant"])
        levels += [(_size_of(variant, level["size"]), level["quantity"]) for level in entry["size_stock_levels"]]
    levels += [(_size(shop, entry["product_size"]), entry["quantity"]) for entry in wanted.get("product_sizes") or ()]
    physical = wanted["stock_quantity_type"] == "PHYSICAL"
    changes = stock.set_levels(shop, levels, warehouse, wanted["description"], physical=physical)
    return Payload(stock_changes=changes)


def change_stock(call: Call, arguments: dict[str, Any]) -> Payload:
    wanted, shop = arguments["input"], call.shop
    into = (
        _warehouse(shop, wanted["into_warehouse"], "input", "intoWarehouse") if wanted.get("into_warehouse") else None
    )
    out_of = wanted.get("out_from_warehouse")
    out_from = _warehouse(shop, out_of, "input", "outFromWarehouse") if out_of else None
    here = into or out_from
    if here is None:
        raise Refused("Either intoWarehouse or outFromWarehouse is required", "input")
    movements = []
    for entry in wanted["product_variants"]:
        variant = _variant(shop, entry["product_variant"])
        for change in entry["size_changes"]:
            quantity = change["delivered_quantity"] if into else -change["delivered_quantity"]
            movements.append(stock.Movement(_size_of(variant, change["size"]), here, quantity))
    if not movements:
        raise Refused("No stock changes were given", "input", "productVariants")
    other = out_from if into else None
    return Payload(stock_change=stock.move(shop, movements, wanted.get("description") or "", other=other))


def _warehouse(shop: Shop, reference: dict[str, Any], *path: str) -> Warehouse:
    found = shop.warehouses.get(reference.get("id") or 0)
    if found is None:
        raise Refused(f"Could not find warehouse with ID {reference.get('id')}", *path)
    return found


def _variant(shop: Shop, reference: dict[str, Any]) -> ProductVariant:
    found = shop.variants.get(reference.get("id") or 0)
    if found is None:
        raise Refused(f"Could not find product variant with ID {reference.get('id')}", "input", "productVariants")
    return found


def _size_of(variant: ProductVariant, reference: dict[str, Any]) -> ProductSize:
    for size in variant.product_sizes:
        if size.size.id == reference.get("id") or size.size.name == reference.get("name"):
            return size
    raise Refused(f"Product variant {variant.id} has no such size", "input", "productVariants")


def _size(shop: Shop, reference: dict[str, Any]) -> ProductSize:
    found = (
        shop.sizes.get(reference.get("id") or 0)
        or shop.by_sku.get(reference.get("sku") or "")
        or shop.by_ean.get(reference.get("ean") or "")
    )
    if found is None:
        raise Refused("Could not find product size", "input", "productSizes")
    return found


def _complete(payload: Payload) -> Payload:
    """Fills in what the payload types want when a mutation was refused or had nothing to say."""
    for name, empty in (
        ("event_listeners", []),
        ("events", []),
        ("stock_changes", []),
        ("stock_change", None),
        ("entries", []),
        ("order", None),
        ("shipment", None),
        ("return", None),
    ):
        if not hasattr(payload, name):
            setattr(payload, name, empty)
    for name in ("user_errors", "user_warnings"):
        if not hasattr(payload, name):
            setattr(payload, name, [])
    return payload


def _note(fault: Fault, default: str) -> Payload:
    return Payload(message=fault.body or default, path=fault.options.get("path", ["input"]))


def resolver(mutation: Mutation) -> Callable[..., Payload]:
    def resolve(_: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Payload:
        call: Call = info.context
        if call.faults.user_errors is not None:
            return _complete(Payload(user_errors=[_note(call.faults.user_errors, "The change could not be made")]))
        try:
            payload = mutation(call, arguments)
        except Refused as refused:
            return _complete(Payload(user_errors=[Payload(message=refused.message, path=refused.path)]))
        if call.faults.user_warnings is not None:
            payload.user_warnings = [_note(call.faults.user_warnings, "The change was made, but not all of it")]
        return _complete(payload)

    return resolve


FIELDS = {
    "Mutation.setEventListeners": resolver(set_event_listeners),
    "Mutation.unsetEventListeners": resolver(unset_event_listeners),
    "Mutation.confirmEvents": resolver(confirm_events),
    "Mutation.setStock": resolver(set_stock),
    "Mutation.changeStock": resolver(change_stock),
}
