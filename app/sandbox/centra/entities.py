"""What the stand-in's shop consists of. Attribute names are the schema's field names in snake case.

Objects are compared by identity and changed in place: everything that holds one sees its present state, as a
GraphQL read does. Instants are Unix seconds of app time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.sandbox.centra.attributes import Attribute
    from app.sandbox.centra.catalogue_entities import (
        Brand,
        Category,
        Collection,
        Folder,
        LanguageTranslation,
        Price,
        ProductMedia,
        SizeChart,
        TaxGroup,
        Weight,
    )


@dataclass(slots=True, eq=False)
class Country:
    id: int
    code: str
    name: str
    is_eu: bool
    vat_percent: float = 20.0


@dataclass(slots=True, eq=False)
class Currency:
    id: int
    code: str
    is_base: bool


@dataclass(slots=True, eq=False)
class Warehouse:
    id: int
    name: str
    threshold: int = 0
    allocation_policy: str = "DIRECT"
    stock_master: str = "CENTRA"
    is_hidden_from_stock_view: bool = False
    is_consignation: bool = False
    country: Country | None = None
    allocation_rules: list[AllocationRule] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class WarehousePriority:
    priority: float
    warehouse: Warehouse


@dataclass(slots=True, eq=False)
class PrioritySet:
    countries: list[Country]
    warehouse_priorities: list[WarehousePriority]


@dataclass(slots=True, eq=False)
class AllocationRule:
    id: int
    name: str
    geography_allocation_priorities: list[PrioritySet]
    allocation_type: str = "DEFAULT"
    markets: list[Market] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)

    def warehouses(self) -> list[Warehouse]:
        """All warehouses of the rule, each once, by falling precedence."""
        found: dict[int, Warehouse] = {}
        for geography in self.geography_allocation_priorities:
            for entry in sorted(geography.warehouse_priorities, key=lambda e: e.priority):
                found.setdefault(entry.warehouse.id, entry.warehouse)
        return list(found.values())


@dataclass(slots=True, eq=False)
class Store:
    id: int
    name: str
    type: str
    allocation_rule: AllocationRule | None = None


@dataclass(slots=True, eq=False)
class Market:
    id: int
    name: str
    store: Store
    assigned_to_countries: list[Country]
    allocation_rule: AllocationRule | None


@dataclass(slots=True, eq=False)
class Pricelist:
    id: int
    name: str
    status: str
    currency: Currency
    store: Store
    assigned_to_countries: list[Country]
    tax_included: bool = True


@dataclass(slots=True, eq=False)
class ShippingOption:
    id: int
    name: str
    uri: str


@dataclass(slots=True, eq=False)
class Product:
    id: int
    name: str
    product_number: str
    created_at: float
    updated_at: float
    status: str = "ACTIVE"
    product_variants: list[ProductVariant] = field(default_factory=list)
    displays: list[Display] = field(default_factory=list)
    brand: Brand | None = None
    collection: Collection | None = None
    folder: Folder | None = None
    country_of_origin: Country | None = None
    harmonized_commodity_code: str | None = None
    weight: Weight | None = None
    media: list[ProductMedia] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    translations: list[LanguageTranslation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ProductVariant:
    id: int
    name: str
    variant_number: str
    product: Product
    updated_at: float
    status: str = "ACTIVE"
    stock_offset: int = 0
    product_sizes: list[ProductSize] = field(default_factory=list)
    display_items: list[DisplayItem] = field(default_factory=list)
    size_chart: SizeChart | None = None
    media: list[ProductMedia] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Size:
    id: int
    name: str


@dataclass(slots=True, eq=False)
class ProductSize:
    id: int
    sku: str
    ean: str
    size_number: str
    size: Size
    product_variant: ProductVariant
    created_at: float
    updated_at: float
    preorder: bool = False
    is_active: bool = True
    upc: str | None = None
    description: str | None = None
    weight: Weight | None = None
    stock: dict[int, StockCell] = field(default_factory=dict)

    @property
    def gtin(self) -> str:
        return self.ean


@dataclass(slots=True, eq=False)
class StockCell:
    """The stock of one size in one warehouse."""

    warehouse: Warehouse
    product_size: ProductSize
    physical_quantity: int = 0
    allocated_quantity: int = 0
    demand_quantity: int = 0

    @property
    def free_to_allocate_quantity(self) -> int:
        """May be below 0 when somebody took out what was promised. No safety stock is taken off it."""
        return self.physical_quantity - self.allocated_quantity

    @property
    def available_now_quantity(self) -> int:
        return self.free_to_allocate_quantity - self.demand_quantity


@dataclass(slots=True, eq=False)
class StockSum:
    """The figures of several cells together."""

    physical_quantity: int = 0
    allocated_quantity: int = 0
    free_to_allocate_quantity: int = 0
    demand_quantity: int = 0
    available_now_quantity: int = 0

    def add(self, cell: StockCell) -> None:
        self.physical_quantity += cell.physical_quantity
        self.allocated_quantity += cell.allocated_quantity
        self.free_to_allocate_quantity += cell.free_to_allocate_quantity
        self.demand_quantity += cell.demand_quantity
        self.available_now_quantity += cell.available_now_quantity


@dataclass(slots=True, eq=False)
class StockChangeLine:
    id: int
    delivered_quantity: int
    free_to_allocate_quantity: int
    product_size: ProductSize


@dataclass(slots=True, eq=False)
class StockChange:
    """A movement that came from outside the order flow. Exactly one of the warehouses, or both for a move."""

    id: int
    description: str
    created_at: float
    into_warehouse: Warehouse | None
    out_from_warehouse: Warehouse | None
    lines: list[StockChangeLine]


@dataclass(slots=True, eq=False)
class Display:
    id: int
    name: str
    uri: str
    store: Store
    product: Product
    updated_at: float
    markets: list[Market]
    status: str = "ACTIVE"
    display_items: list[DisplayItem] = field(default_factory=list)
    description: str | None = None
    short_description: str | None = None
    meta_title: str | None = None
    meta_description: str | None = None
    meta_keywords: str | None = None
    tags: list[str] | None = None
    canonical_category: Category | None = None
    categories: list[Category] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)
    tax_group: TaxGroup | None = None
    media: list[ProductMedia] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    translations: list[LanguageTranslation] = field(default_factory=list)

    @property
    def product_variants(self) -> list[ProductVariant]:
        return [item.product_variant for item in self.display_items]


@dataclass(slots=True, eq=False)
class DisplayItem:
    id: int
    display: Display
    product_variant: ProductVariant
