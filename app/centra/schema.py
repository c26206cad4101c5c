"""What we read from Centra, as far as we use it.

Read models are tolerant: enums are plain text, and members we can live without may be null or missing. A size
whose stock did not come is not a size without stock: `stock` has to be there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from app.centra.graphql import PartialError
from app.wire.decode import UnreadableItem
from app.wire.outcome import RefusalDetail


class _Id(msgspec.Struct, frozen=True):
    id: int


class _Code(msgspec.Struct, frozen=True):
    code: str


# --------------------------------------------------------------------------------------------------- sizes


class Product(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    status: str | None = None
    product_number: str | None = None


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    status: str | None = None
    stock_offset: int | None = None
    variant_number: str | None = None
    product: Product | None = None


class StockRow(msgspec.Struct, frozen=True):
    """FTA of a size at a warehouse; threshold and offset are not taken off. None: Centra gave no number."""

    warehouse: _Id
    free: int | None = msgspec.field(default=None, name="freeToAllocateQuantity")

    @property
    def warehouse_id(self) -> int:
        return self.warehouse.id


class Size(msgspec.Struct, frozen=True, rename="camel"):
    """A ProductSize with its stock rows; an empty list is a size without stock."""

    id: int
    stock: tuple[StockRow, ...]
    sku: str | None = msgspec.field(default=None, name="SKU")
    ean: str | None = msgspec.field(default=None, name="EAN")
    upc: str | None = msgspec.field(default=None, name="UPC")
    size_number: str | None = None
    preorder: bool | None = None
    is_active: bool | None = None
    variant: Variant | None = msgspec.field(default=None, name="productVariant")


@dataclass(frozen=True)
class SizesAnswer:
    """Sizes as read. `missing_ids`: not there, or not to be believed. `is_last`: no page follows."""

    sizes: tuple[Size, ...]
    missing_ids: tuple[int, ...] = ()
    errors: tuple[PartialError, ...] = ()
    unreadable: tuple[UnreadableItem, ...] = ()
    is_last: bool = True


class _DisplayVariant(msgspec.Struct, frozen=True, rename="camel"):
    id: int | None = None
    product_sizes: tuple[_Id, ...] = ()


class DisplayItem(msgspec.Struct, frozen=True, rename="camel"):
    """What a storefront webhook names, and the sizes behind it."""

    id: int
    display: _Id | None = None
    product_variant: _DisplayVariant | None = None

    @property
    def display_id(self) -> int | None:
        return self.display.id if self.display else None

    @property
    def size_ids(self) -> tuple[int, ...]:
        return tuple(size.id for size in self.product_variant.product_sizes) if self.product_variant else ()


@dataclass(frozen=True)
class DisplayItemsAnswer:
    items: tuple[DisplayItem, ...]
    errors: tuple[PartialError, ...] = ()
    unreadable: tuple[UnreadableItem, ...] = ()
    is_last: bool = True


# -------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class Event:
    """Something about an object may have changed; what came along is its state now, not its state then.

    `sizes` carry stock (stock events); `size_ids` names every size touched, those without stock here have to
    be read; `product_ids` the products that may be described otherwise (a price names none). `is_gone`: the object
    was deleted. `unclear`: it could not be read here, so read by `object_id`.
    """

    id: int
    object_type: str
    change_type: str
    object_id: int
    created_at: str | None = None
    sizes: tuple[Size, ...] = ()
    size_ids: tuple[int, ...] = ()
    product_ids: tuple[int, ...] = ()
    order_number: int | None = None
    is_gone: bool = False
    unclear: str = ""


@dataclass(frozen=True)
class EventsAnswer:
    """The oldest unconfirmed events. `unreadable` ones have an id at best: confirm those once set aside."""

    events: tuple[Event, ...]
    unreadable: tuple[UnreadableItem, ...] = ()
    errors: tuple[PartialError, ...] = ()
    is_full: bool = False


class EventListener(msgspec.Struct, frozen=True, rename="camel"):
    object_type: str
    change_types: tuple[str, ...] | None = None
    integration_name: str | None = None


@dataclass(frozen=True)
class ListenersAnswer:
    listeners: tuple[EventListener, ...]
    warnings: tuple[RefusalDetail, ...] = ()


@dataclass(frozen=True)
class Confirmed:
    """Event ids that Centra says are off the queue now."""

    ids: tuple[int, ...]
    warnings: tuple[RefusalDetail, ...] = ()


# ------------------------------------------------------------------------------------------------ topology


class Store(msgspec.Struct, frozen=True):
    id: int
    name: str | None = None
    type: str | None = None


class _Priority(msgspec.Struct, frozen=True):
    warehouse: _Id
    priority: float | None = None


class GeographyPriorities(msgspec.Struct, frozen=True, rename="camel"):
    """Warehouses of a rule for one group of countries."""

    warehouse_priorities: tuple[_Priority, ...] | None = None

    @property
    def warehouse_ids(self) -> tuple[int, ...]:
        """In order of priority."""
        ranked = sorted(self.warehouse_priorities or (), key=lambda entry: entry.priority or 0.0)
        return tuple(entry.warehouse.id for entry in ranked)


class AllocationRule(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str | None = None
    geography_allocation_priorities: tuple[GeographyPriorities, ...] | None = None


class Market(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str | None = None
    store: _Id | None = None
    assigned_to_countries: tuple[_Code, ...] | None = None
    allocation_rule: AllocationRule | None = None

    @property
    def country_codes(self) -> tuple[str, ...]:
        return tuple(country.code for country in self.assigned_to_countries or ())


class Pricelist(msgspec.Struct, frozen=True, rename="camel"):
    id: int
    name: str | None = None
    status: str | None = None
    store: _Id | None = None
    currency: _Code | None = None
    assigned_to_countries: tuple[_Code, ...] | None = None

    @property
    def currency_code(self) -> str | None:
        return self.currency.code if self.currency else None

    @property
    def country_codes(self) -> tuple[str, ...]:
        return tuple(country.code for country in self.assigned_to_countries or ())


class Warehouse(msgspec.Struct, frozen=True, rename="camel"):
    """`allocation_policy` is DIRECT, CHECK_FIRST or something newer; `threshold` is not taken off its FTA."""

    id: int
    name: str | None = None
    threshold: int | None = None
    allocation_policy: str | None = None
    stock_master: str | None = None
    is_consignation: bool | None = None
    is_hidden_from_stock_view: bool | None = None
    allocation_rules: tuple[_Id, ...] | None = None

    @property
    def rule_ids(self) -> tuple[int, ...]:
        return tuple(rule.id for rule in self.allocation_rules or ())


@dataclass(frozen=True)
class Topology:
    """All of it, or the call was no success; `unreadable` names single entries left out, as `markets 3`."""

    stores: tuple[Store, ...] = ()
    markets: tuple[Market, ...] = ()
    pricelists: tuple[Pricelist, ...] = ()
    warehouses: tuple[Warehouse, ...] = ()
    rules: tuple[AllocationRule, ...] = ()
    unreadable: tuple[str, ...] = field(default=())


# --------------------------------------------------------------------------------------------- rate limits


@dataclass(frozen=True)
class RateLimit:
    """One of the environment's six buckets, shared with every other integration. `name` as in our charges."""

    name: str
    quota: int
    used: int
    remaining: int
