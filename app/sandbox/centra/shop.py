"""The stand-in's shop: everything it knows, by id, and the places where a change has to be told.

A change is made by the modules that know its rules (`stock`, `orders`, `edits`). They tell the shop through
`emit` (the event queue, the integration webhook) and `stock_moved` (the ledger, the storefront webhook).
"""

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from app.sandbox.centra.after_entities import Return, Shipment
from app.sandbox.centra.catalogue_entities import (
    Brand,
    Category,
    Collection,
    Folder,
    Language,
    Price,
    ProductMedia,
    SizeChart,
    TaxGroup,
)
from app.sandbox.centra.entities import (
    AllocationRule,
    Country,
    Currency,
    Display,
    DisplayItem,
    Market,
    Pricelist,
    Product,
    ProductSize,
    ProductVariant,
    ShippingOption,
    Size,
    StockCell,
    StockChange,
    Store,
    Warehouse,
)
from app.sandbox.centra.order_entities import Customer, IdConversion, Order
from app.sandbox.clock import Clock
from app.sandbox.journal import Ledger


class Listening(Protocol):
    """Whoever wants to know that something happened: the event queues and the webhooks."""

    def changed(self, object_type: str, change_type: str, reference: int, store: Any, market: Any) -> None: ...

    def stock_moved(self, size: ProductSize) -> None: ...


def _counter(start: int) -> Iterator[int]:
    return itertools.count(start)


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """How orders go in this shop; see POST /_sandbox/orders/options. `split_every` and `rounding_error` 0: never."""

    create_allowed: bool = True
    create_only_takes_stock: bool = True
    autoconfirm: bool = False
    split_every: int = 0
    rounding_error: int = 0
    no_conversion_of_incomplete: bool = False

    def changed(self, members: dict[str, Any]) -> "OrderOptions":
        """TypeError for an option that is not there or a value of another type."""
        for name, value in members.items():
            if type(value) is not type(getattr(self, name, None)):
                raise TypeError(f"{name} is no option, or {value!r} is of another type")
        return replace(self, **members)


@dataclass(slots=True)
class Numbers:
    """Where the next ids come from."""

    size: Iterator[int] = field(default_factory=lambda: _counter(5001))
    variant: Iterator[int] = field(default_factory=lambda: _counter(301))
    product: Iterator[int] = field(default_factory=lambda: _counter(201))
    display: Iterator[int] = field(default_factory=lambda: _counter(1401))
    media: Iterator[int] = field(default_factory=lambda: _counter(2101))
    price: Iterator[int] = field(default_factory=lambda: _counter(3101))
    display_item: Iterator[int] = field(default_factory=lambda: _counter(14001))
    stock_change: Iterator[int] = field(default_factory=lambda: _counter(15501))
    stock_change_line: Iterator[int] = field(default_factory=lambda: _counter(70001))
    order: Iterator[int] = field(default_factory=lambda: _counter(40301))
    order_line: Iterator[int] = field(default_factory=lambda: _counter(90001))
    allocation: Iterator[int] = field(default_factory=lambda: _counter(60001))
    customer: Iterator[int] = field(default_factory=lambda: _counter(8101))
    payment: Iterator[int] = field(default_factory=lambda: _counter(66001))
    conversion: Iterator[int] = field(default_factory=lambda: _counter(3301))
    shipment: Iterator[int] = field(default_factory=lambda: _counter(7701))
    shipment_line: Iterator[int] = field(default_factory=lambda: _counter(55001))
    returned: Iterator[int] = field(default_factory=lambda: _counter(601))
    return_line: Iterator[int] = field(default_factory=lambda: _counter(4401))


class Shop:
    """All state of one Centra environment."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self.clock = clock
        self.ledger = ledger
        self.listening: list[Listening] = []
        self.order_options = OrderOptions()
        self.clear()

    def clear(self) -> None:
        self.numbers = Numbers()
        self.countries: dict[str, Country] = {}
        self.currencies: dict[str, Currency] = {}
        self.stores: dict[int, Store] = {}
        self.markets: dict[int, Market] = {}
        self.pricelists: dict[int, Pricelist] = {}
        self.shipping_options: dict[int, ShippingOption] = {}
        self.warehouses: dict[int, Warehouse] = {}
        self.allocation_rules: dict[int, AllocationRule] = {}
        self.brands: dict[int, Brand] = {}
        self.collections: dict[int, Collection] = {}
        self.folders: dict[int, Folder] = {}
        self.categories: dict[int, Category] = {}
        self.size_charts: dict[int, SizeChart] = {}
        self.languages: dict[str, Language] = {}
        self.tax_groups: dict[int, TaxGroup] = {}
        self.media: dict[int, ProductMedia] = {}
        self.prices: dict[int, Price] = {}
        self.products: dict[int, Product] = {}
        self.variants: dict[int, ProductVariant] = {}
        self.sizes: dict[int, ProductSize] = {}
        self.size_names: dict[str, Size] = {}
        self.by_sku: dict[str, ProductSize] = {}
        self.by_ean: dict[str, ProductSize] = {}
        self.displays: dict[int, Display] = {}
        self.display_items: dict[int, DisplayItem] = {}
        self.stock_changes: dict[int, StockChange] = {}
        self.orders: dict[int, Order] = {}
        self.order_by_hash: dict[str, Order] = {}
        self.customers: dict[int, Customer] = {}
        self.shipments: dict[int, Shipment] = {}
        self.returns: dict[int, Return] = {}
        # By (integration name, object type, external id).
        self.conversions: dict[tuple[str, str, str], IdConversion] = {}
        # Size ids by rising updatedAt, so that no page has to sort 20,000 sizes.
        self.sizes_by_update: OrderedDict[int, ProductSize] = OrderedDict()

    def now(self) -> float:
        return self.clock.timestamp()

    def add_size(self, size: ProductSize) -> None:
        self.sizes[size.id] = size
        self.by_sku[size.sku] = size
        self.by_ean[size.ean] = size
        self.sizes_by_update[size.id] = size

    def size_for(self, members: dict[str, Any]) -> ProductSize:
        """The size that `size_id` or `sku` names; KeyError when there is none."""
        if "size_id" in members:
            return self.sizes[int(members["size_id"])]
        return self.by_sku[str(members["sku"])]

    def touch(self, size: ProductSize) -> None:
        size.updated_at = self.now()
        self.sizes_by_update.move_to_end(size.id)

    def forget_names(self, object_type: str, external_ids: dict[str, IdConversion]) -> None:
        """For an object that is gone: its names are free again."""
        for integration, entry in external_ids.items():
            del self.conversions[integration, object_type, entry.external_id]

    def emit(
        self,
        object_type: str,
        change_type: str,
        reference: int,
        store: Store | None = None,
        market: Market | None = None,
    ) -> None:
        for listener in self.listening:
            listener.changed(object_type, change_type, reference, store, market)

    def stock_moved(self, cell: StockCell, cause: str) -> None:
        """Enters the new figures of a cell in the ledger (its `seq` is the running version) and tells of
        them.
        """
        size = cell.product_size
        self.touch(size)
        self.ledger.record(
            "stock",
            cause=cause,
            size_id=size.id,
            sku=size.sku,
            warehouse_id=cell.warehouse.id,
            fta=cell.free_to_allocate_quantity,
        )
        for listener in self.listening:
            listener.stock_moved(size)
