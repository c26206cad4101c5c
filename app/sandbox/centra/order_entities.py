"""What an order consists of. Attribute names are the schema's field names in snake case, as in `entities`.

Amounts are kept as Decimal with tax, in the currency of the order's price list; a price list without tax is
converted when the order is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from app.sandbox.centra.attributes import Attribute
from app.sandbox.centra.entities import (
    AllocationRule,
    Country,
    Currency,
    Market,
    Pricelist,
    ProductSize,
    ProductVariant,
    ShippingOption,
    Store,
    Warehouse,
)

if TYPE_CHECKING:
    from app.sandbox.centra.after_entities import Return, Shipment

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


@dataclass(slots=True, eq=False)
class MonetaryValue:
    amount: Decimal
    currency: Currency

    @property
    def value(self) -> float:
        return float(self.amount)


@dataclass(slots=True, eq=False)
class Address:
    first_name: str | None = None
    last_name: str | None = None
    company_name: str | None = None
    attention: str | None = None
    address1: str | None = None
    address2: str | None = None
    zip_code: str | None = None
    city: str | None = None
    state_or_province: str | None = None
    email: str | None = None
    phone_number: str | None = None
    cell_phone_number: str | None = None
    country: Country | None = None


@dataclass(slots=True, eq=False)
class Customer:
    """Made for each order, never linked to an account of the same e-mail."""

    id: int
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@dataclass(slots=True, eq=False)
class Allocation:
    id: int
    quantity: int
    warehouse: Warehouse


@dataclass(slots=True, eq=False)
class OrderLine:
    """`quantity` falls when units are cancelled, and stays when the whole order is: so the reference has it."""

    id: int
    product_size: ProductSize
    quantity: int
    currency: Currency
    price: Decimal
    original_price: Decimal
    tax_percent: float
    # What each unit adds to the line beside its price; not 0 where totals are made to differ.
    rounding: Decimal = _ZERO
    comment: str | None = None
    cancelled_quantity: int = 0
    returned_quantity: int = 0
    shipped_quantity: int = 0
    # Units in shipments that have not left yet.
    packed_quantity: int = 0
    is_cancelled: bool = False
    allocations: list[Allocation] = field(default_factory=list)
    # Warehouse id -> units promised without stock.
    demand: dict[int, int] = field(default_factory=dict)

    @property
    def open_quantity(self) -> int:
        """Units neither cancelled nor shipped."""
        return 0 if self.is_cancelled else self.quantity - self.shipped_quantity

    @property
    def allocated_quantity(self) -> int:
        return sum(allocation.quantity for allocation in self.allocations)

    @property
    def is_gone(self) -> bool:
        """Nothing is left of it: `lines` shows it only to who asks for cancelled ones."""
        return self.is_cancelled or self.quantity == 0

    @property
    def unit_price(self) -> MonetaryValue:
        return MonetaryValue(self.price, self.currency)

    @property
    def unit_original_price(self) -> MonetaryValue:
        return MonetaryValue(self.original_price, self.currency)

    @property
    def line_value(self) -> MonetaryValue:
        return self.worth(self.quantity)

    def worth(self, quantity: int) -> MonetaryValue:
        """What so many of its units are worth."""
        return MonetaryValue((self.price + self.rounding) * quantity, self.currency)

    @property
    def product_variant(self) -> ProductVariant:
        return self.product_size.product_variant

    @property
    def product_name(self) -> str:
        return self.product_variant.product.name

    @property
    def product_number(self) -> str:
        return self.product_variant.product.product_number

    @property
    def size(self) -> str:
        return self.product_size.size.name


@dataclass(slots=True, eq=False)
class OrderTotals:
    quantity: int
    shipping: MonetaryValue
    handling: MonetaryValue
    discounts: MonetaryValue
    tax_added: MonetaryValue
    tax_deducted: MonetaryValue
    tax_included: MonetaryValue


@dataclass(slots=True, eq=False)
class ShippingPriceGroup:
    shipping_option: ShippingOption


@dataclass(slots=True, eq=False)
class PaymentHistoryEntry:
    id: int
    created_at: float
    entry_type: str
    status: str
    external_reference: str | None
    value: MonetaryValue
    payment_method: str | None


@dataclass(slots=True, eq=False)
class IdConversion:
    id: int
    external_id: str
    internal_id: int
    object_type: str
    integration_name: str


@dataclass(slots=True, eq=False)
class Order:
    id: str
    number: int
    store: Store
    market: Market
    pricelist: Pricelist
    allocation_rule: AllocationRule | None
    customer: Customer
    created_at: float
    updated_at: float
    order_date: float
    order_lines: list[OrderLine]
    status: str = "INCOMPLETE"
    is_on_hold: bool = False
    is_locked: bool = False
    is_internal: bool = False
    is_waiting_for_payment: bool = False
    internal_comment: str | None = None
    other_comment: str = ""
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_option: ShippingOption | None = None
    shipping_value: Decimal = _ZERO
    send_email: bool = True
    attributes: list[Attribute] = field(default_factory=list)
    payment_history: list[PaymentHistoryEntry] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    # How many were ever made, so that a number is never given twice.
    shipments_made: int = 0
    returns: list[Return] = field(default_factory=list)
    # Integration name -> its name for the order.
    external_ids: dict[str, IdConversion] = field(default_factory=dict)
    # Its stock is to be taken only when it is placed.
    owes_stock: bool = False
    # The orders this one became when it was placed, itself first; empty while it is incomplete.
    placed_as: list[Order] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def country(self) -> Country | None:
        return self.shipping_address.country if self.shipping_address else None

    @property
    def shipping_price_group(self) -> ShippingPriceGroup | None:
        return ShippingPriceGroup(self.shipping_option) if self.shipping_option else None

    @property
    def grand_total(self) -> MonetaryValue:
        return self.money(sum((line.line_value.amount for line in self.order_lines), self.shipping_value))

    @property
    def totals(self) -> OrderTotals:
        added, included = self.tax_in(self.grand_total.amount)
        return OrderTotals(
            quantity=sum(line.quantity for line in self.order_lines),
            shipping=self.money(self.shipping_value),
            handling=self.money(_ZERO),
            discounts=self.money(_ZERO),
            tax_added=self.money(added),
            tax_deducted=self.money(_ZERO),
            tax_included=self.money(included),
        )

    def tax_in(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """The tax in an amount that contains it: (added, included), as the price list has it; the other is 0."""
        percent = Decimal(str(self.order_lines[0].tax_percent))
        tax = cents(amount * percent / (100 + percent))
        return (_ZERO, tax) if self.pricelist.tax_included else (tax, _ZERO)

    def money(self, amount: Decimal) -> MonetaryValue:
        return MonetaryValue(amount, self.pricelist.currency)
