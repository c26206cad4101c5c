"""Offers as the lines of an OF01 file: every column, so that no member of an offer is left as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from app.mirakl.calls import instant
from app.mirakl.imports import csv_file
from app.mirakl.offer_schema import ChannelPrice, OfferDelete, OfferUpsert, OfferWrite, When, given

OFFER_COLUMNS = (
    *("sku", "product-id", "product-id-type", "description", "internal-description", "price", "price-additional-info"),
    *("quantity", "min-quantity-alert", "state", "available-start-date", "available-end-date", "logistic-class"),
    *("discount-price", "discount-start-date", "discount-end-date", "discount-ranges", "allow-quote-requests"),
    *("leadtime-to-ship", "min-order-quantity", "max-order-quantity", "package-quantity", "update-delete"),
    "price-ranges",
)


def offers_file(offers: Sequence[OfferWrite], delimiter: str, spelling: int = 0) -> bytes:
    """The file; columns of channels, custom fields and rarer members follow where an offer has them.

    Raises UnwritableText, and ValueError for a custom field that is called like a column of the platform.
    """
    columns = tuple(dict.fromkeys((*OFFER_COLUMNS, *(name for line in map(_line, offers) for name in line))))
    rows = ([line.get(name, "") for name in columns] for line in map(_line, offers))
    return csv_file(columns, rows, delimiter, spelling=spelling)


def text_of(value: str | int | bool | Decimal | When | None) -> str:
    """A value as a file's cell: exact numbers without an exponent, instants in UTC, days as days, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case datetime():
            return instant(value)
        case _:
            return str(value)


def ranges_text(prices: Iterable[tuple[int, Decimal | None]]) -> str:
    """`5|109.20,10|108.73`; thresholds without a price are left out."""
    return ",".join(f"{threshold}|{text_of(price)}" for threshold, price in prices if price is not None)


def _line(offer: OfferWrite) -> dict[str, str]:
    line = {
        "sku": offer.shop_sku,
        "product-id": offer.product_id,
        "product-id-type": offer.product_id_type,
        "state": offer.state_code,
        "price": text_of(offer.price),
    }
    if isinstance(offer, OfferDelete):
        return line | {"quantity": "0", "update-delete": "delete"}
    return line | _members(offer) | _prices(offer) | _fields(offer) | {"update-delete": "update"}


def _members(offer: OfferUpsert) -> dict[str, str]:
    rarer = {
        "product-tax-code": text_of(given(offer.product_tax_code)),
        "pricing-unit": text_of(given(offer.pricing_unit)),
        "msrp": text_of(given(offer.msrp)),
    }
    for eco in given(offer.eco_contributions) or ():
        rarer[f"eco-contribution-amount[{eco.epr_category_code}]"] = text_of(given(eco.eco_contribution_amount))
        rarer[f"producer-id[{eco.epr_category_code}]"] = eco.producer_id
    return {
        "description": text_of(given(offer.description)),
        "internal-description": text_of(given(offer.internal_description)),
        "price-additional-info": text_of(given(offer.price_additional_info)),
        "quantity": text_of(offer.quantity),
        "min-quantity-alert": text_of(given(offer.min_quantity_alert)),
        "available-start-date": text_of(given(offer.available_started)),
        "available-end-date": text_of(given(offer.available_ended)),
        "logistic-class": text_of(given(offer.logistic_class)),
        "allow-quote-requests": text_of(given(offer.allow_quote_requests)),
        "leadtime-to-ship": text_of(given(offer.leadtime_to_ship)),
        "min-order-quantity": text_of(given(offer.min_order_quantity)),
        "max-order-quantity": text_of(given(offer.max_order_quantity)),
        "package-quantity": text_of(given(offer.package_quantity)),
    } | {name: text for name, text in rarer.items() if text}


def _prices(offer: OfferUpsert) -> dict[str, str]:
    discount = given(offer.discount)
    if discount is not None:
        ranges = given(discount.ranges) or ()
        return {
            "discount-price": text_of(discount.price),
            "discount-start-date": text_of(given(discount.start_date)),
            "discount-end-date": text_of(given(discount.end_date)),
            "discount-ranges": ranges_text((r.quantity_threshold, r.price) for r in ranges),
        }
    found: dict[str, str] = {}
    for price in given(offer.all_prices) or ():
        suffix = "" if price.channel_code is None else f"[channel={price.channel_code}]"
        found |= {name + suffix: text for name, text in _channel(price).items()}
    return found


def _channel(price: ChannelPrice) -> Mapping[str, str]:
    volumes = price.volume_prices
    return {
        "price": text_of(price.unit_origin_price),
        "discount-price": text_of(given(price.unit_discount_price)),
        "discount-start-date": text_of(given(price.discount_start_date)),
        "discount-end-date": text_of(given(price.discount_end_date)),
        "price-ranges": ranges_text((v.quantity_threshold, v.unit_origin_price) for v in volumes),
        "discount-ranges": ranges_text((v.quantity_threshold, given(v.unit_discount_price)) for v in volumes),
    }


def _fields(offer: OfferUpsert) -> dict[str, str]:
    fields = {field.code: field.value for field in given(offer.offer_additional_fields) or ()}
    clash = next((code for code in fields if code in OFFER_COLUMNS), None)
    if clash is not None:
        raise ValueError(f"the custom field {clash} is called like a column of the platform: send this offer by OF24")
    return {code: value if isinstance(value, str) else ",".join(value) for code, value in fields.items()}
