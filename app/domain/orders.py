"""A marketplace order as Mirakl tells it, the buyer apart, and what we write down about it.

Enums of the far side are plain text here: new values may appear at any time and pass through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.domain.ids import OrderId, OrderLineId, Sku

OURS = "DEFAULT"
"""The fulfilment centre that means: the seller ships."""


class OrderState(StrEnum):
    """The states of Mirakl's order that decide anything here; others are kept as text."""

    STAGING = "STAGING"
    WAITING_ACCEPTANCE = "WAITING_ACCEPTANCE"
    WAITING_DEBIT = "WAITING_DEBIT"
    WAITING_DEBIT_PAYMENT = "WAITING_DEBIT_PAYMENT"
    SHIPPING = "SHIPPING"
    SHIPPED = "SHIPPED"
    TO_COLLECT = "TO_COLLECT"
    RECEIVED = "RECEIVED"
    CLOSED = "CLOSED"
    REFUSED = "REFUSED"
    CANCELED = "CANCELED"


OPEN_STATES = ("STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING")
"""States in which an order still needs something of us."""
ENDED_STATES = ("REFUSED", "CANCELED")
"""States in which nothing will be shipped."""
SENT_STATES = ("SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED")
ACCEPTANCE_TIMEOUT = "ACCEPTANCE_TIMEOUT"


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax of a line, in the order's currency; `rate` in percent where the marketplace gives one."""

    code: str
    amount: Decimal
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund that Mirakl shows on a line, or a cancelation: both take the same members off what the line has left.

    Amounts in the order's tax mode; a cancelation has no state and no transaction.
    """

    refund_id: str
    line_id: OrderLineId
    amount: Decimal
    shipping: Decimal
    quantity: int
    reason: str
    state: str
    created_at: datetime | None = None
    taxes: tuple[Tax, ...] = ()
    shipping_taxes: tuple[Tax, ...] = ()
    cancelation: bool = False
    group: str = ""
    """What one call refunded of the order."""
    paid_at: datetime | None = None
    transaction: str = ""
    """Of the payment to the buyer, once there is one."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order line. `price` is unit price × quantity without shipping, in the order's tax mode."""

    line_id: OrderLineId
    sku: Sku
    quantity: int
    price_unit: Decimal
    price: Decimal
    shipping_price: Decimal = Decimal(0)
    total_price: Decimal = Decimal(0)
    state: str = OrderState.WAITING_ACCEPTANCE
    state_reason: str | None = None
    index: int = 0
    offer_id: int | None = None
    title: str = ""
    category: str = ""
    """The marketplace's code; empty in facts that were stored before it was read."""
    commission: Decimal | None = None
    taxes: tuple[Tax, ...] = ()
    shipping_taxes: tuple[Tax, ...] = ()
    refunded_quantity: int = 0
    cancelled_quantity: int = 0
    taken: tuple[Refunded, ...] = ()
    """Its refunds, then its cancelations, as told; nothing in facts that were stored before these were read."""

    @property
    def live(self) -> bool:
        """Whether its goods are still to be delivered: neither refused nor cancelled (field case 26)."""
        return self.state not in ENDED_STATES and self.quantity > 0


@dataclass(frozen=True, slots=True)
class Order:
    """The facts of an order without its buyer. `country` is the destination (alpha-2), None while hidden or unknown."""

    order_id: OrderId
    commercial_id: str
    state: str
    created_at: datetime
    updated_at: datetime
    currency: str
    lines: tuple[OrderLine, ...]
    state_reason: str | None = None
    decided_at: datetime | None = None
    """acceptance_decision_date: None also when the system accepted or refused."""
    ship_by: datetime | None = None
    can_cancel: bool = False
    can_ship: bool = False
    fulfilled_by: str = OURS
    tax_mode: str = "TAX_INCLUDED"
    total_price: Decimal = Decimal(0)
    workflow: str = "PAY_ON_ACCEPTANCE"
    debited_at: datetime | None = None
    paid_at: datetime | None = None
    transaction: str = ""
    """Of the buyer's payment, where the marketplace tells it."""
    has_incident: bool = False
    shipping_type: str | None = None
    shipping_label: str | None = None
    shipping_zone: str | None = None
    sales_channel: str | None = None
    country: str | None = None
    has_address: bool = False
    seller_reference: str | None = None
    promotions: Decimal = Decimal(0)
    """What promotions took off; already in the prices, kept for finance."""

    @property
    def ours(self) -> bool:
        """Whether the seller ships; an operator-fulfilled order is only recorded (field case 37)."""
        return self.fulfilled_by == OURS

    @property
    def live_lines(self) -> tuple[OrderLine, ...]:
        return tuple(line for line in self.lines if line.live)


@dataclass(frozen=True, slots=True)
class Field:
    """An additional field: its code and value as text (several values stand on lines of their own)."""

    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address as the marketplace gives it, missing members empty. `country` is a label, `country_code` alpha-3."""

    firstname: str = ""
    lastname: str = ""
    civility: str = ""
    company: str = ""
    company_2: str = ""
    street_1: str = ""
    street_2: str = ""
    zip_code: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    country_code: str = ""
    phone: str = ""
    phone_secondary: str = ""
    additional_info: str = ""
    internal_additional_info: str = ""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Everything personal of an order; lives in one table (business rule 24)."""

    customer_id: str = ""
    civility: str = ""
    firstname: str = ""
    lastname: str = ""
    locale: str = ""
    email: str = ""
    """The marketplace's relay address, used as it is; empty when it gave none."""
    organization: str = ""
    shipping: Address | None = None
    billing: Address | None = None
    pickup_point: str = ""
    fields: tuple[Field, ...] = ()
    line_fields: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    """By order line id: gift texts, engravings, whatever the operator asks buyers for."""


@dataclass(frozen=True, slots=True)
class CentraAddress:
    """An address as the Order API takes it; `country` ISO alpha-2."""

    first_name: str
    last_name: str
    address: str
    co_address: str
    zip_code: str
    city: str
    state: str
    country: str
    email: str
    phone: str = ""
    company: str = ""
    """`attn` at Centra."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of an order to create in Centra; unit price in the price list's tax basis."""

    line_id: OrderLineId
    sku: Sku
    quantity: int
    unit_price: Decimal
    text: str = ""
    """What the warehouse must read about this line."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to create in Centra, and what it must add up to."""

    reference: str
    """Our mark in the internal comment, by which a lost create is found again."""
    order_id: OrderId
    created_at: datetime
    market: int
    price_list: int
    currency: str
    shipping_option: str
    shipping_value: Decimal
    lines: tuple[NewLine, ...]
    total: Decimal
    """What the buyer pays, in the tax basis of the price list."""
    delivery: CentraAddress
    invoice: CentraAddress
    allocation_rule: str | None = None
    comment: str = ""
    """What people see first: gift text, delivery notes, pickup point."""
    backorder: bool = False
    """Short lines become demand instead of a refusal."""
