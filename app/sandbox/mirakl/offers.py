"""An offer as the marketplace keeps it: what it is, its stock, what OF24 writes, and its prices.

The stock of an offer is one global figure, or one for each warehouse; with warehouses the offer's quantity is
their sum. A global stock line replaces the warehouses: the reference leaves mixing open, and so the last file
wins.
"""

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Volume:
    """The unit prices from a quantity on."""

    threshold: int
    origin: Decimal
    discount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One of an offer's prices, in the shop's currency; instants are Unix seconds.

    Without channels, period and customers it is the default price.
    """

    origin: Decimal
    discount: Decimal | None = None
    discount_start: float | None = None
    discount_end: float | None = None
    channels: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None
    organisations: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()

    @property
    def context(self) -> tuple[Any, ...]:
        """What the price is for; an offer has one price for each."""
        return (self.channels, self.start, self.end, self.organisations, self.groups)

    @property
    def is_default(self) -> bool:
        return self.context == _DEFAULT_CONTEXT

    def holds(self, at: float) -> bool:
        """Whether its period is now."""
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)

    def is_discounted(self, at: float) -> bool:
        started = self.discount_start is None or self.discount_start <= at
        return self.discount is not None and started and (self.discount_end is None or at <= self.discount_end)

    def at(self, at: float) -> Decimal:
        """What a buyer of one unit pays at that instant."""
        return self.discount if self.discount is not None and self.is_discounted(at) else self.origin


_DEFAULT_CONTEXT = Price(Decimal()).context


@dataclass(frozen=True, slots=True)
class Details:
    """The members of OF24 beside identity, stock and prices, with the platform's defaults.

    `leadtime_to_ship` None is the shop's own; `additional_fields` are (code, value), of several values a tuple.
    """

    description: str = ""
    internal_description: str = ""
    price_additional_info: str = ""
    available_started: float | None = None
    available_ended: float | None = None
    leadtime_to_ship: int | None = None
    logistic_class: str | None = None
    min_quantity_alert: int | None = None
    min_order_quantity: int | None = None
    max_order_quantity: int | None = None
    package_quantity: int | None = None
    allow_quote_requests: bool = False
    product_tax_code: str | None = None
    pricing_unit: str | None = None
    msrp: Decimal | None = None
    additional_fields: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    eco_contributions: tuple[dict[str, Any], ...] = ()


NO_DETAILS = Details()
DETAIL_NAMES = tuple(member.name for member in fields(Details))


@dataclass(slots=True)
class Offer:
    """Instants are app time in Unix seconds. `pending_prices` wait for the operator's approval."""

    offer_id: int
    sku: str
    product_sku: str
    enabled: bool
    created_at: float
    updated_at: float
    prices: tuple[Price, ...] = ()
    global_quantity: int = 0
    warehouses: dict[str, int] = field(default_factory=dict)
    state_code: str = "11"
    deleted: bool = False
    details: Details = NO_DETAILS
    pending_prices: tuple[Price, ...] | None = None

    @property
    def default_price(self) -> Price | None:
        return next((price for price in self.prices if price.is_default), None)

    @property
    def price(self) -> float:
        """The default price before any discount; 0 where there is none."""
        default = self.default_price
        return 0.0 if default is None else float(default.origin)

    @property
    def quantity(self) -> int:
        return sum(self.warehouses.values()) if self.warehouses else self.global_quantity

    def snapshot(self) -> "Offer":
        """As it is now; nothing that is done to the offer later shows in it."""
        return Offer(
            self.offer_id,
            self.sku,
            self.product_sku,
            self.enabled,
            self.created_at,
            self.updated_at,
            self.prices,
            self.global_quantity,
            dict(self.warehouses) if self.warehouses else self.warehouses,
            self.state_code,
            self.deleted,
            self.details,
        )

    def set_quantity(self, quantity: int, warehouse: str, at: float) -> None:
        if warehouse:
            # A new dict: a snapshot of an offer without warehouses shares its empty one.
            self.warehouses = {**self.warehouses, warehouse: quantity}
        else:
            self.warehouses = {}
            self.global_quantity = quantity
        self.updated_at = at

    def remove_warehouse(self, warehouse: str, at: float) -> None:
        if self.warehouses.pop(warehouse, None) is not None and not self.warehouses:
            self.global_quantity = 0
        self.updated_at = at

    def empty(self, at: float) -> None:
        """The operator takes it off sale; the warehouses stay known."""
        self.global_quantity = 0
        self.warehouses = dict.fromkeys(self.warehouses, 0)
        self.updated_at = at

    def take(self, units: int, at: float) -> None:
        """Sold: from the global figure, or from the warehouses in turn."""
        if not self.warehouses:
            self.global_quantity -= units
        for code, held in self.warehouses.items():
            taken = min(held, units)
            self.warehouses[code] = held - taken
            units -= taken
        self.updated_at = at

    def set_prices(self, prices: tuple[Price, ...], at: float) -> None:
        """All of them at once: what is not among them is gone."""
        self.prices, self.pending_prices, self.updated_at = prices, None, at
