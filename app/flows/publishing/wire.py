"""A whole offer as OF24 takes it: every member is said, UNSET where the marketplace's default is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from app.domain.listing import Offer
from app.mirakl.offer_schema import ChannelPrice, FieldValue, OfferDelete, OfferUpsert, VolumePrice
from app.policies.pricing import ALWAYS, PriceSet, Tag

T = TypeVar("T")


def upsert(offer: Offer, prices: PriceSet, quantity: int) -> OfferUpsert:
    """The offer with the prices and the quantity of the moment: OF24 takes away what it does not mention."""
    return OfferUpsert(
        shop_sku=offer.sku,
        product_id=offer.product_code,
        product_id_type=offer.product_code_type,
        state_code=offer.state,
        price=prices.default.amount,
        quantity=quantity,
        description=_said(offer.description),
        internal_description=UNSET,
        price_additional_info=UNSET,
        discount=UNSET,
        all_prices=tuple(_price(tag) for tag in prices.tags if tag.period == ALWAYS),
        available_started=_said(offer.available_from),
        available_ended=_said(offer.available_until),
        leadtime_to_ship=_known(offer.lead_time_days),
        logistic_class=_said(offer.logistic_class),
        min_quantity_alert=_known(offer.min_quantity_alert),
        min_order_quantity=_known(offer.min_order_quantity),
        max_order_quantity=_known(offer.max_order_quantity),
        package_quantity=_known(offer.package_quantity),
        allow_quote_requests=UNSET,
        product_tax_code=_said(offer.product_tax_code),
        pricing_unit=UNSET,
        msrp=UNSET,
        offer_additional_fields=_said(tuple(FieldValue(code=c, value=v) for c, v in offer.additional.items())),
        eco_contributions=UNSET,
    )


@dataclass(frozen=True, slots=True)
class Deletion:
    """An offer that is to be deleted, as far as OF24 wants to be told of it."""

    sku: str
    product_code: str
    product_code_type: str
    state: str
    deleted: bool = True


def deletion_of(sent: Mapping[str, Any]) -> Deletion:
    """Of what was sent last, the offer or its deletion."""
    return Deletion(sent["sku"], sent["product_code"], sent["product_code_type"], sent["state"])


def is_deletion(sent: Mapping[str, Any] | None) -> bool:
    """Whether what was sent last was no offer, but its deletion."""
    return sent is not None and bool(sent.get("deleted"))


def deleted(one: Deletion, price: Decimal) -> OfferDelete:
    """Takes an offer away; a price is demanded all the same, whichever."""
    return OfferDelete(
        shop_sku=one.sku,
        product_id=one.product_code,
        product_id_type=one.product_code_type,
        state_code=one.state,
        price=price,
    )


def _price(tag: Tag) -> ChannelPrice:
    return ChannelPrice(
        channel_code=tag.channel or None,
        unit_origin_price=tag.amount,
        unit_discount_price=_known(tag.discount),
        discount_start_date=_known(tag.discount_period.starts_at),
        discount_end_date=_known(tag.discount_period.ends_at),
        volume_prices=tuple(
            VolumePrice(quantity_threshold=quantity, unit_origin_price=amount) for quantity, amount in tag.ranges
        ),
    )


def _known(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _said(value: T | None) -> T | UnsetType:
    """Empty is not said."""
    return value or UNSET
