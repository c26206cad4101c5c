"""Orders as OR11 and OR15 tell them, as far as we use them.

Tolerant like the other read models; an order that cannot be read as a whole is held as a whole. Buyer data is in
here: these values show their ids in logs and tracebacks, never their members.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from app.wire.decode import Items

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Quantity = Annotated[int, msgspec.Meta(ge=0)]
_BEYOND = Decimal(10) ** 12


class _Amounts(msgspec.Struct, frozen=True):
    """A row with money: numbers that no price can be (NaN, infinite, a trillion) make it unreadable."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < _BEYOND):
                raise ValueError(f"{name} is no amount")


class _Private(msgspec.Struct, frozen=True):
    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Address(_Private, frozen=True):
    """`country` is a label, `country_iso_code` alpha-3; old orders may have the label only."""

    firstname: str | None = None
    lastname: str | None = None
    civility: str | None = None
    company: str | None = None
    company_2: str | None = None
    street_1: str | None = None
    street_2: str | None = None
    zip_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    country_iso_code: str | None = None
    phone: str | None = None
    phone_secondary: str | None = None
    additional_info: str | None = None
    internal_additional_info: str | None = None


class Organization(_Private, frozen=True):
    """The company behind a business order."""

    organization_id: str | None = None
    name: str | None = None
    identification_number: str | None = None
    tax_identification_number: str | None = None


class Customer(_Private, frozen=True):
    """Addresses are None while the platform hides them."""

    customer_id: str | None = None
    civility: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    locale: str | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    organization: Organization | None = None


class AdditionalValue(_Private, frozen=True):
    """A custom field: text for every type, or several texts (MULTIPLE_VALUES_LIST)."""

    code: str
    type: str | None = None
    value: str | bool | int | float | tuple[str, ...] | None = None


class Code(msgspec.Struct, frozen=True):
    code: str | None = None
    label: str | None = None


class Fulfillment(msgspec.Struct, frozen=True):
    """Center `DEFAULT`: the seller ships; any other: the operator does."""

    center: Code | None = None


class DeliveryDate(msgspec.Struct, frozen=True):
    earliest: Instant | None = None
    latest: Instant | None = None


class References(msgspec.Struct, frozen=True):
    order_reference_for_customer: str | None = None
    order_reference_for_seller: str | None = None


class Promotions(_Amounts, frozen=True):
    """What promotions took off; already in the prices."""

    total_deduced_amount: Decimal | None = None


class OrderTaxTotal(_Amounts, frozen=True):
    """Of instances that calculate taxes for the whole order."""

    code: str
    total_amount: Decimal
    rate: Decimal | None = None


class Tax(_Amounts, frozen=True):
    """`rate` in percent, where one is told."""

    code: str
    amount: Decimal
    rate: Decimal | None = None
    tax_calculation_rule: str | None = None


class Fee(_Amounts, frozen=True):
    code: str
    amount: Decimal


class GivenBack(_Amounts, frozen=True):
    """A refund or a cancelation of a line, amounts in the order's tax mode. A cancelation has only the first half.

    An amount is None where nothing of that part is given back. `quantity` is informative only, the amounts decide.
    `state` is the older name of `refund_state`. The transaction is there once the buyer was paid back.
    """

    id: str
    amount: Decimal | None = None
    shipping_amount: Decimal | None = None
    quantity: Quantity | None = None
    reason_code: str | None = None
    created_date: Instant | None = None
    taxes: tuple[Tax, ...] | None = None
    shipping_taxes: tuple[Tax, ...] | None = None

    refund_state: str | None = None
    state: str | None = None
    order_refund_id: str | None = None
    transaction_date: Instant | None = None
    transaction_number: str | None = None


class OrderLine(_Amounts, frozen=True):
    """`offer_sku` is our shop SKU; refunds do not lower `quantity`; shipping is that of the whole line."""

    order_line_id: str
    order_line_state: str
    offer_sku: str
    quantity: Quantity
    price_unit: Decimal
    price: Decimal
    shipping_price: Decimal
    total_price: Decimal
    order_line_index: int | None = None
    order_line_state_reason_code: str | None = None
    order_line_state_reason_label: str | None = None
    offer_id: int | None = None
    product_sku: str | None = None
    product_title: str | None = None
    category_code: str | None = None
    taxes: tuple[Tax, ...] | None = None
    shipping_taxes: tuple[Tax, ...] | None = None
    fees: tuple[Fee, ...] | None = None
    commission_fee: Decimal | None = None
    total_commission: Decimal | None = None
    order_line_additional_fields: tuple[AdditionalValue, ...] | None = None
    refunds: tuple[GivenBack, ...] | None = None
    cancelations: tuple[GivenBack, ...] | None = None


class Order(_Amounts, frozen=True):
    """One logistic order; money in `currency_iso_code`, with or without tax as `order_tax_mode` says."""

    order_id: str
    commercial_id: str
    order_state: str
    created_date: Instant
    last_updated_date: Instant
    currency_iso_code: str
    price: Decimal
    shipping_price: Decimal
    total_price: Decimal
    order_lines: tuple[OrderLine, ...]
    order_state_reason_code: str | None = None
    order_state_reason_label: str | None = None
    acceptance_decision_date: Instant | None = None
    customer_debited_date: Instant | None = None
    transaction_date: Instant | None = None
    transaction_number: str | None = None
    shipping_deadline: Instant | None = None
    delivery_date: DeliveryDate | None = None
    can_cancel: bool | None = None
    can_shop_ship: bool | None = None
    has_incident: bool | None = None
    customer: Customer | None = None
    customer_notification_email: str | None = None
    channel: Code | None = None
    order_tax_mode: str | None = None
    order_taxes: tuple[OrderTaxTotal, ...] | None = None
    payment_workflow: str | None = None
    shipping_type_code: str | None = None
    shipping_type_label: str | None = None
    shipping_zone_code: str | None = None
    shipping_zone_label: str | None = None
    shipping_pudo_id: str | None = None
    fulfillment: Fulfillment | None = None
    order_additional_fields: tuple[AdditionalValue, ...] | None = None
    references: References | None = None
    promotions: Promotions | None = None

    def __repr__(self) -> str:
        return f"<Order {self.order_id} {self.order_state}>"


@dataclass(frozen=True)
class RawOrder:
    """An order, and its bytes as they came, buyer included."""

    order: Order
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class OrderQuery:
    """What OR11 shall list: the orders named, or those updated within a window (aware, whole seconds)."""

    start_update: datetime | None = None
    end_update: datetime | None = None
    states: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    offset: int = 0
    max: int = 100

    def __post_init__(self) -> None:
        if len(self.order_ids) > 100 or not 0 < self.max <= 100:
            raise ValueError("at most 100 orders a page and 100 ids a question")
        if any("," in id_ for id_ in self.order_ids):
            raise ValueError("an order id with a comma cannot be asked for")


@dataclass(frozen=True)
class OrderPage:
    """One page, oldest order first. `total_count` counts the orders of all pages as the answer was made."""

    orders: Items[RawOrder]
    total_count: int
    has_next: bool
