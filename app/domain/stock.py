"""What a size has, where it may be sold from, and what follows for one offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.ids import MarketId, SizeId, Sku, WarehouseId


@dataclass(frozen=True, slots=True)
class Size:
    """A Centra ProductSize as last read. `free` is FTA by warehouse; None where Centra gave no number."""

    size_id: SizeId
    sku: Sku
    free: Mapping[WarehouseId, int | None]
    offset: int = 0
    active: bool = True
    preorder: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Warehouse:
    warehouse_id: WarehouseId
    name: str
    threshold: int
    direct: bool
    rules: frozenset[int]


@dataclass(frozen=True, slots=True)
class Market:
    market_id: MarketId
    name: str
    rule: int | None
    countries: frozenset[str]


@dataclass(frozen=True, slots=True)
class PriceList:
    price_list_id: int
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Markets, price lists and warehouses of the Centra environment, as mirrored."""

    markets: Mapping[MarketId, Market]
    warehouses: Mapping[WarehouseId, Warehouse]
    price_lists: Mapping[int, PriceList] = field(default_factory=dict)

    def sold_from(self, market_id: MarketId) -> tuple[Warehouse, ...] | None:
        """The DIRECT warehouses of the market's allocation rule; None when the market or its rule is unknown."""
        market = self.markets.get(market_id)
        if market is None or market.rule is None:
            return None
        return tuple(w for w in self.warehouses.values() if w.direct and market.rule in w.rules)


class Cause(StrEnum):
    """Why a quantity is what it is; a zero from `FREE` may always go out, the others are guarded."""

    FREE = "free"  # from the FTA that Centra gave
    MISSING = "missing"  # the size is gone, the SKU belongs to no size, or there is no stock row
    MAPPING = "mapping"  # market, rule or warehouses unknown
    POLICY = "policy"  # inactive, preorder


@dataclass(frozen=True, slots=True)
class Available:
    """Units that may be offered now, how that came about, and each step in words.

    `by_warehouse`: of `quantity`, by the marketplace's warehouse codes, those without any among them; None where one
    figure is told for all.
    """

    quantity: int
    cause: Cause
    steps: tuple[str, ...]
    negative: bool = False
    by_warehouse: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No number can be derived; the SKU is held with this reason. A number is never invented."""

    reason: str
    steps: tuple[str, ...] = ()
