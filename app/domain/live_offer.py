"""An offer as the marketplace shows it: the members that we manage. What it has of stock is kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.domain.ids import Sku


@dataclass(frozen=True, slots=True)
class LivePrice:
    """One price: of everybody, or of some sales channels; always, or for a time. `ranges`: by quantity."""

    amount: Decimal
    channels: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    discount: Decimal | None = None
    discount_starts_at: datetime | None = None
    discount_ends_at: datetime | None = None
    ranges: tuple[tuple[int, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class LiveOffer:
    """Prices of single customers are not ours, and not among `prices`. `additional`: fields of AF01, by code.

    `has_more_prices`: it has those, or discounts by quantity, which are not kept here either.
    """

    sku: Sku
    state: str
    prices: tuple[LivePrice, ...] = ()
    active: bool = True
    description: str = ""
    lead_time_days: int | None = None
    logistic_class: str = ""
    product_tax_code: str = ""
    min_order_quantity: int | None = None
    max_order_quantity: int | None = None
    package_quantity: int | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    additional: Mapping[str, str] = field(default_factory=dict)
    has_more_prices: bool = False

    @property
    def default_price(self) -> LivePrice | None:
        """That of every channel without one of its own, at any time."""
        always = (price for price in self.prices if not price.channels)
        return next((price for price in always if price.starts_at is None and price.ends_at is None), None)
