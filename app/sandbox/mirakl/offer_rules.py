"""Why the marketplace does not take an offer: the words of an error report, or None where it does.

Of prices PC01 says which are known at all (channels, periods, volumes), how many decimals they have and whether a
discount must have both dates; of custom fields AF01, of states OF61, of logistic classes SH31.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from app.sandbox.mirakl.offers import Details, Offer, Price
from app.sandbox.mirakl.state import Shop

MOST_PRICES = 50
_LONGEST_SKU, _LONGEST_TEXT, _LONGEST_LEAD_TIME = 40, 2000, 44


def offer_fault(sku: str, state_code: str, details: Details, quantity: int | None, shop: Shop) -> str | None:
    """Of everything but product and prices."""
    states = {str(state["code"]) for state in shop.mirrors.lists["offer_states"] if state.get("active", True)}
    lead_time, logistic_class = details.leadtime_to_ship, details.logistic_class
    texts = (details.description, details.internal_description, details.price_additional_info)
    amounts = (details.min_quantity_alert, details.min_order_quantity, details.max_order_quantity)
    begins, ends = details.available_started, details.available_ended
    most, least = details.max_order_quantity, details.min_order_quantity
    found: dict[str, bool] = {
        "The offer SKU is missing": not sku,
        f"The offer SKU is longer than {_LONGEST_SKU} characters or contains '/'": len(sku) > _LONGEST_SKU
        or "/" in sku,
        f"The state '{state_code}' is unknown": state_code not in states,
        "The quantity must not be negative": quantity is not None and quantity < 0,
        f"A text is longer than {_LONGEST_TEXT} characters": any(len(text) > _LONGEST_TEXT for text in texts),
        f"The lead time to ship must be between 0 and {_LONGEST_LEAD_TIME} days": (
            lead_time is not None and not 0 <= lead_time <= _LONGEST_LEAD_TIME
        ),
        f"The logistic class '{logistic_class}' is unknown": (
            logistic_class is not None and logistic_class not in shop.products.catalogue.logistic_classes
        ),
        "A quantity limit must not be negative": any(amount is not None and amount < 0 for amount in amounts),
        "The maximum order quantity is below the minimum": bool(most and least and most < least),
        "The availability ends before it starts": begins is not None and ends is not None and ends < begins,
    }
    return next((words for words, is_so in found.items() if is_so), None) or _fields_fault(details, shop)


def product_fault(offer: Offer | None, kind: str | None, reference: str | None, shop: Shop) -> str | None:
    """Of the product an offer is for; a known offer may leave it out, and must not change it."""
    if not kind or not reference:
        return None if offer is not None else "The product id and its type are mandatory for a new offer"
    product = shop.products.find(kind, reference)
    if kind == "SHOP_SKU" and offer is not None and reference == offer.sku:
        return None
    if product is None:
        return "The product does not exist"
    if offer is not None and offer.product_sku != product.sku:
        return "The offer is linked to another product"
    return None


def prices_fault(prices: tuple[Price, ...], shop: Shop, at: float) -> str | None:
    """Of a whole price set, one price after the other."""
    if len(prices) > MOST_PRICES:
        return f"An offer has at most {MOST_PRICES} prices"
    if len({price.context for price in prices}) < len(prices):
        return "Two prices are for the same channels, period and customers"
    return next(filter(None, (price_fault(price, shop, at) for price in prices)), None)


def price_fault(price: Price, shop: Shop, at: float) -> str | None:
    mirrors = shop.mirrors
    pricing: dict[str, Any] = mirrors.feature("pricing")
    amounts = [price.origin, price.discount, *(v.origin for v in price.volumes), *(v.discount for v in price.volumes)]
    given = [amount for amount in amounts if amount is not None]
    decimals = int(mirrors.feature("offer_prices_decimals"))
    starts, ends = price.discount_start, price.discount_end
    unknown = [code for code in price.channels if code not in shop.products.catalogue.channels]
    found = {
        "The price must not be negative": any(amount < 0 for amount in given),
        f"A price has more than {decimals} decimals": any(_decimals(amount) > decimals for amount in given),
        "Prices by channel are not activated": bool(price.channels) and pricing["channel_pricing"] == "DISABLED",
        "A price is for one channel only": len(price.channels) > 1 and pricing["channel_pricing"] == "SINGLE",
        f"The channel '{''.join(unknown[:1])}' is unknown": bool(unknown),
        "Scheduled prices are not activated": not pricing["scheduled_pricing"] and _has_period(price),
        "Volume prices are not activated": not pricing["volume_pricing"] and _has_volume_prices(price),
        "Volume discounts are not activated": not pricing["volume_discount"] and _has_volume_discounts(price),
        "The discount price must be below the price": _is_no_discount(price),
        "The discount needs a start and an end date": (
            bool(pricing["discount_period_required"]) and price.discount is not None and None in (starts, ends)
        ),
        "The discount ends before it starts": starts is not None and ends is not None and ends <= starts,
        "The price ends before it starts": price.start is not None
        and price.end is not None
        and price.end <= price.start,
        "The discount must not start in the past": (
            bool(pricing["discount_price_creation_in_the_past_blocked"]) and starts is not None and starts < at
        ),
        "A quantity threshold must be above 0": any(volume.threshold < 1 for volume in price.volumes),
    }
    return next((words for words, is_so in found.items() if is_so), None)


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _has_period(price: Price) -> bool:
    return price.start is not None or price.end is not None


def _has_volume_prices(price: Price) -> bool:
    return any(volume.origin != price.origin for volume in price.volumes)


def _has_volume_discounts(price: Price) -> bool:
    return any(volume.discount is not None for volume in price.volumes)


def _is_no_discount(price: Price) -> bool:
    pairs = [(price.discount, price.origin), *((volume.discount, volume.origin) for volume in price.volumes)]
    return any(discount is not None and discount >= origin for discount, origin in pairs)


def _fields_fault(details: Details, shop: Shop) -> str | None:
    known, given = shop.mirrors.offer_fields, dict(details.additional_fields)
    for code, value in given.items():
        if code not in known:
            return f"The custom field '{code}' is unknown"
        if not _fits(known[code], value):
            return f"The value of the custom field '{code}' is invalid: '{value}'"
    missing = (code for code, field in known.items() if field.get("required") and not given.get(code))
    return next((f"The custom field '{code}' is mandatory" for code in missing), None)


def _fits(field: Mapping[str, Any], value: str | tuple[str, ...]) -> bool:
    many = value if isinstance(value, tuple) else (value,)
    if field["type"] == "MULTIPLE_VALUES_LIST":
        return set(many) <= set(field.get("accepted_values") or ())
    if len(many) != 1:
        return False
    tests: dict[str, Callable[[str], bool]] = {
        "STRING": lambda text: len(text) <= _LONGEST_TEXT,
        "DATE": _is_date,
        "NUMERIC": _is_number,
        "BOOLEAN": lambda text: text in ("true", "false"),
        "LINK": lambda text: text.startswith(("http://", "https://")),
        "LIST": lambda text: text in (field.get("accepted_values") or ()),
        "REGEX": lambda text: re.fullmatch(field.get("regex") or "", text) is not None,
    }
    test = tests.get(field["type"])
    return test is None or test(many[0])


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
