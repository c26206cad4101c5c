"""Resolvers of fields that are more than an attribute: lists with arguments, events, live objects."""

from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from app.sandbox.centra import lists
from app.sandbox.centra.call import Call, Lost
from app.sandbox.centra.entities import (
    Product,
    ProductSize,
    ProductVariant,
    StockCell,
    StockChangeLine,
    StockSum,
)
from app.sandbox.centra.events import Event, EventListener
from app.sandbox.centra.limits import Bucket

Info = GraphQLResolveInfo[Any]
Where = dict[str, Any] | None
Sort = list[str] | None
INTERNAL = {"category": "internal"}


def call_of(info: Info) -> Call:
    call: Call = info.context
    return call


def events(_: Any, info: Info, where: Where = None, limit: int | None = 20) -> list[Event]:
    call = call_of(info)
    lists.page_of((), limit, 1)
    if not call.events.enabled:
        return []
    found = call.events.queue(call.integration).oldest(where or {}, limit or 20)
    if call.faults.poison is not None and found:
        found[0].poisoned = True
    return found


def event_listeners(_: Any, info: Info, where: Where = None) -> list[EventListener]:
    call = call_of(info)
    wanted = (where or {}).get("object_type")
    listeners = call.events.queue(call.integration).listeners.values()
    return [entry for entry in listeners if wanted is None or entry.object_type in wanted]


def event_object(event: Event, info: Info) -> Any:
    """The object as it is now; None when it is gone."""
    if event.poisoned:
        raise GraphQLError("Internal server error", extensions=INTERNAL)
    shop = call_of(info).shop
    stored: dict[str, dict[int, Any]] = {
        "Order": shop.orders,
        "Shipment": shop.shipments,
        "Return": shop.returns,
        "StockChange": shop.stock_changes,
        "ProductSize": shop.sizes,
        "ProductVariant": shop.variants,
        "Product": shop.products,
        "Brand": shop.brands,
        "Collection": shop.collections,
        "Folder": shop.folders,
        "Category": shop.categories,
        "SizeChart": shop.size_charts,
        "ProductMedia": shop.media,
        "Price": shop.prices,
        "Display": shop.displays,
        "Pricelist": shop.pricelists,
        "Market": shop.markets,
        "Store": shop.stores,
        "Warehouse": shop.warehouses,
        "AllocationRule": shop.allocation_rules,
        "ShippingOption": shop.shipping_options,
    }
    return stored.get(event.object_type, {}).get(event.object_reference)


def product_sizes(
    _: Any,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> list[ProductSize]:
    call = call_of(info)
    found = lists.page_of(lists.sizes(call.shop, where, sort), limit, page)
    missing, partial = call.faults.missing, call.faults.partial
    if missing is not None:
        found = [size for size in found if not missing.hits(size)]
    if partial is not None:
        for index, size in enumerate(found):
            if partial.hits(size):
                as_null = partial.fault.options.get("mode") == "null"
                call.lost.append(Lost(str(info.path.key), index, as_null))
    return found


def sizes_of_variant(
    variant: ProductVariant,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> list[ProductSize]:
    return lists.page_of(lists.sizes_of(variant, where, sort), limit, page)


def size_of_change(line: StockChangeLine, info: Info) -> ProductSize | None:
    """A size deleted since is null. A partial error strikes here when sizes are read through events."""
    call = call_of(info)
    size = line.product_size
    if call.faults.partial is not None and call.faults.partial.hits(size):
        raise GraphQLError("Internal server error", extensions=INTERNAL)
    return size if size.id in call.shop.sizes else None


def stock(
    size: ProductSize,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> list[StockCell]:
    no_stock = call_of(info).faults.no_stock
    if no_stock is not None and no_stock.hits(size):
        return []
    return lists.page_of(lists.cells(size, where, sort), limit, page)


def stock_totals(size: ProductSize, info: Info, where: Where = None) -> StockSum:
    no_stock = call_of(info).faults.no_stock
    total = StockSum()
    if no_stock is None or not no_stock.hits(size):
        for cell in lists.cells(size, where, None):
            total.add(cell)
    return total


def product_variants(
    _: Any, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1
) -> list[ProductVariant]:
    return lists.page_of(lists.variants(call_of(info).shop.variants, where), limit, page)


def variants_of_product(
    product: Product, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1
) -> list[ProductVariant]:
    own = {variant.id: variant for variant in product.product_variants}
    return lists.page_of(lists.variants(own, where), limit, page)


def displays(
    _: Any,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> Any:
    return lists.page_of(lists.displays(call_of(info).shop.displays, where, sort), limit, page)


def displays_of_product(
    product: Product,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> Any:
    own = {display.id: display for display in product.displays}
    return lists.page_of(lists.displays(own, where, sort), limit, page)


def display_items(_: Any, info: Info, limit: int | None = 20, page: int | None = 1) -> Any:
    return lists.page_of(call_of(info).shop.display_items.values(), limit, page)


def stores(_: Any, info: Info) -> Any:
    return list(call_of(info).shop.stores.values())


def markets(
    _: Any,
    info: Info,
    where: Where = None,
    sort: Sort = None,
    limit: int | None = 20,
    page: int | None = 1,
) -> Any:
    return lists.page_of(lists.markets(call_of(info).shop, where, sort), limit, page)


def pricelists(_: Any, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1) -> Any:
    return lists.page_of(lists.pricelists(call_of(info).shop, where), limit, page)


def warehouses(_: Any, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1) -> Any:
    return lists.page_of(lists.by_id(call_of(info).shop.warehouses, where), limit, page)


def allocation_rules(_: Any, info: Info, where: Where = None, limit: int | None = 20, page: int | None = 1) -> Any:
    return lists.page_of(lists.by_id(call_of(info).shop.allocation_rules, where), limit, page)


def shipping_options(_: Any, info: Info, limit: int | None = 20, page: int | None = 1) -> Any:
    return lists.page_of(call_of(info).shop.shipping_options.values(), limit, page)


def rate_limits(_: Any, info: Info) -> list[Bucket]:
    """As they stand now, this call paid."""
    call = call_of(info)
    call.allowance.refill(call.shop.now())
    return call.allowance.buckets


FIELDS = {
    "Query.events": events,
    "Query.eventListeners": event_listeners,
    "Query.stores": stores,
    "Query.markets": markets,
    "Query.pricelists": pricelists,
    "Query.warehouses": warehouses,
    "Query.allocationRules": allocation_rules,
    "Query.shippingOptions": shipping_options,
    "Query.productVariants": product_variants,
    "Query.productSizes": product_sizes,
    "Query.displays": displays,
    "Query.displayItems": display_items,
    "Query.rateLimits": rate_limits,
    "Event.object": event_object,
    "Product.displays": displays_of_product,
    "Product.productVariants": variants_of_product,
    "ProductVariant.productSizes": sizes_of_variant,
    "ProductSize.stock": stock,
    "ProductSize.stockTotals": stock_totals,
    "StockChangeLine.productSize": size_of_change,
}
