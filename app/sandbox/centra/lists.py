"""Lists as the API gives them: filtered, sorted, cut into pages of at most 200.

Offset paging over a changing order is kept as it is: a size that changes while somebody pages by updatedAt
moves to the end and the one behind it slips into the page already read.
"""

from collections.abc import Callable, Iterable, Reversible
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from graphql import GraphQLError

from app.sandbox.centra.after_entities import Return, Shipment
from app.sandbox.centra.entities import (
    Display,
    Market,
    Pricelist,
    Product,
    ProductSize,
    ProductVariant,
    StockCell,
)
from app.sandbox.centra.order_entities import IdConversion, Order
from app.sandbox.centra.shop import Shop

Where = dict[str, Any] | None
T = TypeVar("T")

_LONGEST_PAGE = 200


def page_of(found: Iterable[T], limit: int | None, page: int | None) -> list[T]:
    """GraphQLError when limit or page is outside what the API takes."""
    limit, page = 20 if limit is None else limit, 1 if page is None else page
    if not 1 <= limit <= _LONGEST_PAGE:
        raise GraphQLError(f"Limit must be between 1 and {_LONGEST_PAGE}", extensions={"category": "graphql"})
    if page < 1:
        raise GraphQLError("Page must be at least 1", extensions={"category": "graphql"})
    first = (page - 1) * limit
    return list(islice(found, first, first + limit))


def by_id(found: dict[int, T], where: Where) -> Iterable[T]:
    """All, or those that `where.id` names, by rising id."""
    ids = (where or {}).get("id")
    if ids is None:
        return found.values()
    return [found[key] for key in sorted(set(ids)) if key in found]


def markets(shop: Shop, where: Where, sort: list[str] | None) -> Iterable[Market]:
    return _sorted(_of_store(by_id(shop.markets, where), where), sort, lambda m: m.id)


def pricelists(shop: Shop, where: Where) -> Iterable[Pricelist]:
    return _of_store(by_id(shop.pricelists, where), where)


def products(found: dict[int, Product], where: Where, sort: list[str] | None) -> Iterable[Product]:
    where = where or {}
    chosen: Iterable[Product] = by_id(found, where)
    if where.get("product_number") is not None:
        chosen = [p for p in chosen if text_fits(p.product_number, where["product_number"])]
    return _by_id_or_update(_active_and_changed(chosen, where), sort)


def variants(found: dict[int, ProductVariant], where: Where) -> Iterable[ProductVariant]:
    where = where or {}
    chosen = by_id(found, where)
    if where.get("product_id") is not None:
        chosen = [v for v in chosen if v.product.id in where["product_id"]]
    return _active_and_changed(chosen, where)


def displays(found: dict[int, Display], where: Where, sort: list[str] | None) -> Iterable[Display]:
    where = where or {}
    chosen = _of_store(by_id(found, where), where)
    if where.get("market_id") is not None:
        chosen = [d for d in chosen if any(m.id in where["market_id"] for m in d.markets)]
    return _by_id_or_update(_active_and_changed(chosen, where), sort)


def sizes(shop: Shop, where: Where, sort: list[str] | None) -> Iterable[ProductSize]:
    """Sizes of the whole shop. The updatedAt order is kept ready, so a deep page costs no sorting."""
    where = where or {}
    by_update = bool(sort) and sort is not None and sort[0].startswith("updatedAt")
    narrowed = _narrowed(shop, where)
    if narrowed is not None:
        chosen: Iterable[ProductSize] = _by_id_or_update(narrowed, sort)
    elif by_update and sort is not None:
        ordered: Reversible[ProductSize] = shop.sizes_by_update.values()
        chosen = ordered if sort[0].endswith("ASC") else reversed(ordered)
    else:
        chosen = shop.sizes.values()
    return _filtered_sizes(chosen, where)


def sizes_of(variant: ProductVariant, where: Where, sort: list[str] | None) -> Iterable[ProductSize]:
    where = where or {}
    chosen: Iterable[ProductSize] = variant.product_sizes
    if where.get("id") is not None:
        chosen = [size for size in chosen if size.id in where["id"]]
    return _filtered_sizes(_by_id_or_update(chosen, sort), where)


def cells(size: ProductSize, where: Where, sort: list[str] | None) -> list[StockCell]:
    where = where or {}
    wanted = where.get("warehouse_id")
    chosen = [c for c in size.stock.values() if wanted is None or c.warehouse.id in wanted]
    quantity = where.get("free_to_allocate_quantity")
    if quantity:
        low, high = quantity.get("from"), quantity.get("to")
        chosen = [c for c in chosen if _within(c.free_to_allocate_quantity, low, high)]
    falling = bool(sort) and sort is not None and sort[0].endswith("DESC")
    return sorted(chosen, key=lambda cell: cell.warehouse.id, reverse=falling)


def orders(shop: Shop, where: Where, sort: list[str] | None) -> Iterable[Order]:
    """Incomplete ones among them."""
    where = where or {}
    numbers = where.get("number")
    known = shop.orders
    chosen: Iterable[Order] = known.values() if numbers is None else [known[n] for n in set(numbers) if n in known]
    for name, read in (
        ("id", attrgetter("id")),
        ("status", attrgetter("status")),
        ("store_id", attrgetter("store.id")),
        ("market_id", attrgetter("market.id")),
    ):
        if where.get(name) is not None:
            chosen = [o for o in chosen if read(o) in where[name]]
    for name, read in (
        ("store_type", attrgetter("store.type")),
        ("is_on_hold", attrgetter("is_on_hold")),
        ("is_waiting_for_payment", attrgetter("is_waiting_for_payment")),
    ):
        if where.get(name) is not None:
            chosen = [o for o in chosen if read(o) == where[name]]
    for name in ("created_at", "updated_at", "order_date"):
        chosen = _in_range(chosen, name, where.get(name))
    field = sort[0].rsplit("_", 1)[0] if sort else "number"
    keys: dict[str, Callable[[Order], Any]] = {
        "id": lambda o: o.id,
        "number": lambda o: o.number,
        "orderDate": lambda o: (o.order_date, o.number),
        "updatedAt": lambda o: (o.updated_at, o.number),
    }
    return _sorted(chosen, sort, keys[field])


def shipments(shop: Shop, where: Where, sort: list[str] | None) -> Iterable[Shipment]:
    """Neither an order nor a market narrows them: the reference names no such filter."""
    where = where or {}
    chosen: Iterable[Shipment] = _of_store(by_id(shop.shipments, where), where)
    for name in ("is_shipped", "is_good_to_go"):
        if where.get(name) is not None:
            chosen = [s for s in chosen if getattr(s, name) == where[name]]
    if where.get("shipped_at"):
        chosen = [s for s in chosen if s.is_shipped]
    for name in ("created_at", "updated_at", "shipped_at"):
        chosen = _in_range(chosen, name, where.get(name))
    return _sorted(chosen, sort, lambda s: s.id)


def returns(shop: Shop, where: Where, sort: list[str] | None) -> Iterable[Return]:
    where = where or {}
    chosen: Iterable[Return] = _of_store(by_id(shop.returns, where), where)
    if where.get("store_type") is not None:
        chosen = [r for r in chosen if r.store.type == where["store_type"]]
    if where.get("customer_id") is not None:
        chosen = [r for r in chosen if r.customer.id in where["customer_id"]]
    if where.get("return_status") is not None:
        chosen = [r for r in chosen if r.return_status in where["return_status"]]
    return _sorted(_in_range(chosen, "created_at", where.get("created_at")), sort, lambda r: r.id)


def conversions(shop: Shop, integration: str, where: Where) -> list[IdConversion]:
    """Those of one integration."""
    where = where or {}
    text = (where.get("external_id") or {}).get("equals")
    if text is not None:
        named = [shop.conversions.get((integration, kind, text)) for kind in ("Order", "Shipment", "Return")]
        chosen = [entry for entry in named if entry is not None]
    else:
        chosen = [entry for (name, _, _), entry in shop.conversions.items() if name == integration]
    if where.get("external_id") is not None:
        chosen = [entry for entry in chosen if text_fits(entry.external_id, where["external_id"])]
    for name in ("object_type", "internal_id"):
        if where.get(name) is not None:
            chosen = [entry for entry in chosen if getattr(entry, name) in where[name]]
    return chosen


def _narrowed(shop: Shop, where: dict[str, Any]) -> list[ProductSize] | None:
    """The few sizes that an exact filter leaves, found without looking at all; None without such a filter."""
    if where.get("id") is not None:
        return list(by_id(shop.sizes, where))
    if (where.get("sku") or {}).get("equals") is not None:
        size = shop.by_sku.get(where["sku"]["equals"])
        return [size] if size else []
    if where.get("product_variant_id") is not None:
        return [s for v in by_id(shop.variants, {"id": where["product_variant_id"]}) for s in v.product_sizes]
    if where.get("product_id") is not None:
        products = by_id(shop.products, {"id": where["product_id"]})
        return [s for p in products for v in p.product_variants for s in v.product_sizes]
    return None


def _filtered_sizes(chosen: Iterable[ProductSize], where: dict[str, Any]) -> Iterable[ProductSize]:
    tests: list[Callable[[ProductSize], bool]] = []
    if where.get("product_id") is not None:
        tests.append(lambda s: s.product_variant.product.id in where["product_id"])
    if where.get("product_variant_id") is not None:
        tests.append(lambda s: s.product_variant.id in where["product_variant_id"])
    if where.get("size_id") is not None:
        tests.append(lambda s: s.size.id in where["size_id"])
    if where.get("sku") is not None:
        tests.append(lambda s: text_fits(s.sku, where["sku"]))
    if where.get("ean") is not None:
        tests.append(lambda s: text_fits(s.ean, where["ean"]))
    if where.get("upc") is not None:
        tests.append(lambda s: text_fits(s.upc, where["upc"]))
    chosen = _in_range(chosen, "updated_at", where.get("updated_at"))
    return (size for size in chosen if all(test(size) for test in tests)) if tests else chosen


def text_fits(value: str | None, rule: dict[str, str | None]) -> bool:
    text = value or ""
    return (
        (rule.get("equals") is None or text == rule["equals"])
        and (rule.get("contains") or "") in text
        and text.startswith(rule.get("starts_with") or "")
        and text.endswith(rule.get("ends_with") or "")
    )


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _in_range(chosen: Iterable[T], name: str, limits: dict[str, float | None] | None) -> Iterable[T]:
    """Instants are written in whole seconds, so a range takes in the whole second of either end."""
    if not limits:
        return chosen
    low, high = limits.get("from"), limits.get("to")
    return (o for o in chosen if _within(int(getattr(o, name)), low, high))


def _of_store(chosen: Iterable[Any], where: Where) -> list[Any]:
    wanted = (where or {}).get("store_id")
    return [o for o in chosen if wanted is None or o.store.id in wanted]


def _active_and_changed(chosen: Iterable[Any], where: dict[str, Any]) -> Iterable[Any]:
    if where.get("status") is not None:
        chosen = [o for o in chosen if o.status in where["status"]]
    return _in_range(chosen, "updated_at", where.get("updated_at"))


def _by_id_or_update(chosen: Iterable[Any], sort: list[str] | None) -> Iterable[Any]:
    if sort and sort[0].startswith("updatedAt"):
        return _sorted(chosen, sort, lambda o: (o.updated_at, o.id))
    return _sorted(chosen, sort, lambda o: o.id)


def _sorted(chosen: Iterable[T], sort: list[str] | None, key: Callable[[T], Any]) -> list[T]:
    return sorted(chosen, key=key, reverse=bool(sort) and sort is not None and sort[0].endswith("DESC"))
