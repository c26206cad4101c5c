"""What is said to Mirakl of an offer, and what it says of offers that are live.

The write models have no defaults: OF24 sends a whole offer, so each member is named, UNSET where the platform's default
is wanted. What is UNSET is left out of the body. Read models are others, and tolerant: what is read is never echoed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from app.mirakl.schema import Offer, OfferPrice

Given = TypeVar("Given")

MOST_UNITS = 2_147_483_647
MOST_PRICES = 50
"""Of one offer, in any way it is sent."""

When = datetime | date
"""An aware instant, or a day in the platform's zone; which one a marketplace wants is configured."""


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refuses prices that are no prices, counts below 0 and instants without a zone."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check(name, getattr(self, name))


def _check(name: str, value: object) -> None:
    if isinstance(value, Decimal) and not (value.is_finite() and value > 0):
        raise ValueError(f"{name} is no price: {value}")
    if isinstance(value, float):
        raise TypeError(f"{name} is a float, which is no exact number")
    if isinstance(value, msgspec.Struct | dict) and not isinstance(value, _Request):
        raise TypeError(f"{name} is no value to write: what was read is not sent back")
    if isinstance(value, int) and not 0 <= value <= MOST_UNITS:
        raise ValueError(f"{name} is not between 0 and {MOST_UNITS}: {value}")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{name} needs its zone")


def check_period(what: str, starts: When | None, ends: When | None) -> None:
    """Both or neither, in that order; ValueError otherwise."""
    if (starts is None) != (ends is None):
        raise ValueError(f"{what} needs both dates or none")
    if starts is None or ends is None:
        return
    if isinstance(starts, datetime) != isinstance(ends, datetime):
        raise ValueError(f"{what} mixes a day and an instant")
    if ends < starts:
        raise ValueError(f"{what} ends before it starts")


def check_discount(price: Decimal, discount: Decimal | None) -> None:
    if discount is not None and not discount < price:
        raise ValueError(f"the discount price {discount} is not below the price {price}")


class VolumePrice(_Request, frozen=True):
    """From `quantity_threshold` units on, each of them costs this."""

    quantity_threshold: int
    unit_origin_price: Decimal
    unit_discount_price: Decimal | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        check_discount(self.unit_origin_price, given(self.unit_discount_price))


class DiscountRange(_Request, frozen=True):
    quantity_threshold: int
    price: Decimal


class Discount(_Request, frozen=True):
    """The discount of the default price, where the platform has no prices by channel."""

    price: Decimal
    start_date: When | UnsetType = UNSET
    end_date: When | UnsetType = UNSET
    ranges: tuple[DiscountRange, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        check_period("a discount", given(self.start_date), given(self.end_date))


class ChannelPrice(_Request, frozen=True):
    """The price of one sales channel; None: of all that have none of their own, the default price."""

    channel_code: str | None
    unit_origin_price: Decimal
    unit_discount_price: Decimal | UnsetType = UNSET
    discount_start_date: When | UnsetType = UNSET
    discount_end_date: When | UnsetType = UNSET
    volume_prices: tuple[VolumePrice, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        starts, ends = given(self.discount_start_date), given(self.discount_end_date)
        check_period("a discount", starts, ends)
        check_discount(self.unit_origin_price, given(self.unit_discount_price))
        if starts is not None and given(self.unit_discount_price) is None:
            raise ValueError("dates of a discount without its price")


class FieldValue(_Request, frozen=True):
    """A custom field of AF01; several values only where its type is MULTIPLE_VALUES_LIST."""

    code: str
    value: str | tuple[str, ...]


class EcoContribution(_Request, frozen=True):
    epr_category_code: str
    producer_id: str
    eco_contribution_amount: Decimal | UnsetType = UNSET


class _Identified(_Request, frozen=True, tag_field="update_delete"):
    shop_sku: str
    product_id: str
    product_id_type: str
    state_code: str
    price: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shop_sku or len(self.shop_sku) > 40 or "/" in self.shop_sku:
            raise ValueError(f"{self.shop_sku!r} is no SKU for an offer: 1 to 40 characters without a slash")
        if not (self.product_id and self.product_id_type and self.state_code):
            raise ValueError(f"the offer {self.shop_sku} needs its product and its state")


class OfferUpsert(_Identified, frozen=True, tag="update"):
    """The whole offer: what is UNSET here goes back to the platform's default, whatever it was before.

    `price` is the default price; where `all_prices` is sent it says the same.
    """

    quantity: int
    description: str | UnsetType
    internal_description: str | UnsetType
    price_additional_info: str | UnsetType
    discount: Discount | UnsetType
    all_prices: tuple[ChannelPrice, ...] | UnsetType
    available_started: When | UnsetType
    available_ended: When | UnsetType
    leadtime_to_ship: int | UnsetType
    logistic_class: str | UnsetType
    min_quantity_alert: int | UnsetType
    min_order_quantity: int | UnsetType
    max_order_quantity: int | UnsetType
    package_quantity: int | UnsetType
    allow_quote_requests: bool | UnsetType
    product_tax_code: str | UnsetType
    pricing_unit: str | UnsetType
    msrp: Decimal | UnsetType
    offer_additional_fields: tuple[FieldValue, ...] | UnsetType
    eco_contributions: tuple[EcoContribution, ...] | UnsetType

    def __post_init__(self) -> None:
        super().__post_init__()
        discount, prices = given(self.discount), given(self.all_prices)
        if discount is not None:
            check_discount(self.price, discount.price)
        if prices is None:
            return
        if discount is not None:
            raise ValueError("a discount is said once: in all_prices or beside it")
        by_channel = {price.channel_code: price for price in prices}
        if len(by_channel) != len(prices) or len(prices) > MOST_PRICES:
            raise ValueError(f"all_prices holds at most {MOST_PRICES} prices, one a channel")
        if None not in by_channel or by_channel[None].unit_origin_price != self.price:
            raise ValueError("all_prices has to hold the default price, the same as price")


class OfferDelete(_Identified, frozen=True, tag="delete"):
    """Takes the offer off the marketplace; state and price are demanded all the same."""


OfferWrite = OfferUpsert | OfferDelete

_DEFAULTS: tuple[tuple[str, object], ...] = (
    ("allow_quote_requests", False),
    ("internal_description", ""),
    ("price_additional_info", ""),
)
"""What OF24 makes of these members where they are left out."""


def spelled(offer: OfferWrite, spelling: int) -> OfferWrite:
    """The same offer in other words: defaults said aloud, one for each bit; a deletion with another price, which is
    demanded and means nothing. 0 is the usual one.
    """
    if isinstance(offer, OfferDelete):
        return msgspec.structs.replace(offer, price=offer.price + spelling)
    bits = enumerate(_DEFAULTS)
    said = {name: value for bit, (name, value) in bits if spelling >> bit & 1 and getattr(offer, name) is UNSET}
    return msgspec.structs.replace(offer, **said)


def given(value: Given | UnsetType) -> Given | None:
    return None if isinstance(value, UnsetType) else value


# ------------------------------------------------------------------------------------------------------- reads


class OfferImportStatus(msgspec.Struct, frozen=True):
    """OF02. `status` is WAITING_SYNCHRONIZATION_PRODUCT, WAITING, RUNNING, COMPLETE, FAILED or something newer."""

    import_id: int
    status: str
    mode: str | None = None
    date_created: str | None = None
    reason_status: str | None = None
    has_error_report: bool | None = None
    lines_read: int | None = None
    lines_in_success: int | None = None
    lines_in_error: int | None = None
    lines_in_pending: int | None = None
    offer_inserted: int | None = None
    offer_updated: int | None = None
    offer_deleted: int | None = None


class PriceContext(msgspec.Struct, frozen=True):
    """When and to whom a price applies; None: always, to all."""

    channel_codes: tuple[str, ...] | None = None
    start_date: str | None = None
    end_date: str | None = None
    customer_organization_ids: tuple[str, ...] | None = None
    customer_group_ids: tuple[str, ...] | None = None


class LiveVolumePrice(msgspec.Struct, frozen=True):
    quantity_threshold: int | None = None
    unit_origin_price: Decimal | None = None
    unit_discount_price: Decimal | None = None


class LivePrice(OfferPrice, frozen=True):
    """A price with its discount's dates, as the platform writes them."""

    discount_start_date: str | None = None
    discount_end_date: str | None = None
    volume_prices: tuple[LiveVolumePrice, ...] | None = None
    context: PriceContext | None = None

    @property
    def channel_codes(self) -> tuple[str, ...]:
        """Empty: the default price."""
        return (self.context.channel_codes if self.context else None) or ()


class _Class(msgspec.Struct, frozen=True):
    code: str | None = None


class LiveField(msgspec.Struct, frozen=True):
    code: str
    type: str | None = None
    value: str | None = None


class LiveEcoContribution(msgspec.Struct, frozen=True):
    epr_category_code: str
    producer_id: str | None = None
    eco_contribution_amount: Decimal | None = None


class LiveOffer(Offer, frozen=True):
    """OF54: all that an export shows of an offer, apart from what its shipping costs."""

    prices: tuple[LivePrice, ...] | None = None
    description: str | None = None
    price_additional_info: str | None = None
    available_start_date: str | None = None
    available_end_date: str | None = None
    leadtime_to_ship: int | None = None
    logistic_class: _Class | None = None
    min_order_quantity: int | None = None
    max_order_quantity: int | None = None
    package_quantity: int | None = None
    allow_quote_requests: bool | None = None
    product_tax_code: str | None = None
    msrp: Decimal | None = None
    channels: tuple[str, ...] | None = None
    date_created: str | None = None
    offer_additional_fields: tuple[LiveField, ...] | None = None
    eco_contributions: tuple[LiveEcoContribution, ...] | None = None

    @property
    def logistic_class_code(self) -> str | None:
        return self.logistic_class.code if self.logistic_class else None

    @property
    def default_price(self) -> LivePrice | None:
        """The price of every channel that has none of its own, at any time."""
        return next((price for price in self.prices or () if _is_default(price.context)), None)


def _is_default(context: PriceContext | None) -> bool:
    if context is None:
        return True
    parts: Iterable[object] = (getattr(context, name) for name in context.__struct_fields__)
    return not any(parts)
