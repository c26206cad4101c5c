"""What a shop says about an offer, member by member: types as OF24 declares them, prices and dates as values.

Numbers may come as strings; null is as good as absent; a member that OF24 does not know is ignored without a word.
A value of another type (an object where a code belongs) spoils the whole call.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.offers import DETAIL_NAMES, Details, Price, Volume

_LARGEST_WHOLE = 2_147_483_647


class Unusable(ValueError):  # noqa: N818 - says what it is
    """A value of the right type that makes no sense; the message is what the report says."""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise TypeError


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float | str):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite():
        raise TypeError
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number.to_integral_value() or abs(number) > _LARGEST_WHOLE:
        raise TypeError
    return int(number)


def _truth(value: Any) -> bool:
    word = str(value).lower()
    if word not in ("true", "false"):
        raise TypeError
    return word == "true"


def _action(value: Any) -> str:
    if value not in ("", "update", "delete"):
        raise TypeError
    return str(value)


def _field_value(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, bool):
        return str(value).lower()
    return tuple(map(_text, value)) if isinstance(value, list) else _text(value)


Spec = Callable[[Any], Any] | Mapping[str, Any] | list[Any]

_VOLUMES = [{"quantity_threshold": _whole, "unit_origin_price": _number, "unit_discount_price": _number}]
_DISCOUNT_DATES = {"discount_start_date": _text, "discount_end_date": _text}
OFFER: Mapping[str, Spec] = {
    "shop_sku": _text,
    "product_id": _text,
    "product_id_type": _text,
    "state_code": _text,
    "update_delete": _action,
    "price": _number,
    "quantity": _whole,
    "discount": {
        "price": _number,
        "start_date": _text,
        "end_date": _text,
        "ranges": [{"quantity_threshold": _whole, "price": _number}],
    },
    "all_prices": [
        {
            "channel_code": _text,
            "unit_origin_price": _number,
            "unit_discount_price": _number,
            "volume_prices": _VOLUMES,
            **_DISCOUNT_DATES,
        }
    ],
    "description": _text,
    "internal_description": _text,
    "price_additional_info": _text,
    "available_started": _text,
    "available_ended": _text,
    "leadtime_to_ship": _whole,
    "logistic_class": _text,
    "min_quantity_alert": _whole,
    "min_order_quantity": _whole,
    "max_order_quantity": _whole,
    "package_quantity": _whole,
    "allow_quote_requests": _truth,
    "product_tax_code": _text,
    "pricing_unit": _text,
    "msrp": _number,
    "offer_additional_fields": [{"code": _text, "type": _text, "value": _field_value}],
    "eco_contributions": [{"epr_category_code": _text, "eco_contribution_amount": _number, "producer_id": _text}],
    "retail_prices": [{"unit_origin_price": _number, "unit_discount_price": _number, **_DISCOUNT_DATES}],
}


def typed(spec: Spec, value: Any, name: str = "offers") -> Any:
    """The value with the types of `spec`, unknown members left out; Refused (400) names the member that has none."""
    if value is None:
        return None
    refusal = Refused(400, f"Error with field {name}. Please check the field datatype.")
    if isinstance(spec, Mapping):
        if not isinstance(value, dict):
            raise refusal
        return {member: typed(spec[member], given, member) for member, given in value.items() if member in spec}
    if isinstance(spec, list):
        if not isinstance(value, list):
            raise refusal
        return [typed(spec[0], item, name) for item in value if item is not None]
    try:
        return spec(value)
    except (TypeError, InvalidOperation) as error:
        raise refusal from error


def moment(text: str | None, zone: ZoneInfo, what: str, *, ends: bool = False) -> float | None:
    """A date or an instant as Unix seconds, in the platform's zone where it names none; Unusable for other text.

    A date alone is its first second or, where something ends, its last.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusable(f"The date of {what} is invalid: '{text}'") from error
    if ends and len(text) == len("2026-01-01"):
        found = datetime.combine(found.date(), time(23, 59, 59))
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def prices_of(members: Mapping[str, Any], zone: ZoneInfo) -> tuple[Price, ...]:
    """All prices that typed members give; `price` and `discount` make the default one unless `all_prices` has it."""
    prices = [_listed(given, zone) for given in members.get("all_prices") or ()]
    if members.get("price") is not None and not any(price.is_default for price in prices):
        prices.insert(0, _plain(members["price"], members.get("discount") or {}, zone))
    return tuple(prices)


def details_of(members: Mapping[str, Any], zone: ZoneInfo, before: Details) -> Details:
    """With the members that are given (None: back to the default), the others as before."""
    default = Details()
    read: dict[str, Callable[[Any], Any]] = {
        "available_started": lambda text: moment(text, zone, "available_started"),
        "available_ended": lambda text: moment(text, zone, "available_ended", ends=True),
        "eco_contributions": tuple,
    }

    def value(name: str) -> Any:
        if name not in members:
            return getattr(before, name)
        given = members[name]
        return getattr(default, name) if given is None else read.get(name, lambda same: same)(given)

    values = {name: value(name) for name in DETAIL_NAMES if name != "additional_fields"}
    fields = before.additional_fields
    if "offer_additional_fields" in members:
        given = members["offer_additional_fields"] or ()
        fields = tuple((str(f.get("code")), f["value"]) for f in given if f.get("value") is not None)
    return Details(**values, additional_fields=fields)


def number_of(text: str) -> Decimal:
    """Unusable for what is no number."""
    try:
        return _number(text)
    except (InvalidOperation, TypeError) as error:
        raise Unusable(f"Not a number: '{text}'") from error


def ranges_of(text: str | None) -> list[tuple[int, Decimal]]:
    """`1|20,10|15` as quantities and prices; Unusable for other text."""
    try:
        pairs = [pair.split("|") for pair in text.split(",")] if text else []
        return [(int(threshold), _number(price)) for threshold, price in pairs]
    except (ValueError, InvalidOperation, TypeError) as error:
        raise Unusable(f"The ranges are invalid: '{text}'") from error


def volumes_of(
    origin: Decimal, origins: list[tuple[int, Decimal]], discounts: list[tuple[int, Decimal]]
) -> tuple[Volume, ...]:
    """One for each quantity that either list names."""
    reduced = dict(discounts)

    def origin_from(quantity: int) -> Decimal:
        return next((price for step, price in sorted(origins, reverse=True) if step <= quantity), origin)

    steps = sorted({step for step, _ in [*origins, *discounts]})
    return tuple(Volume(step, origin_from(step), reduced.get(step)) for step in steps)


def _plain(price: Decimal, discount: Mapping[str, Any], zone: ZoneInfo) -> Price:
    ranges = [(given["quantity_threshold"], given["price"]) for given in discount.get("ranges") or ()]
    return Price(
        price,
        discount.get("price"),
        moment(discount.get("start_date"), zone, "the discount's start"),
        moment(discount.get("end_date"), zone, "the discount's end", ends=True),
        volumes=volumes_of(price, [], ranges),
    )


def _listed(given: Mapping[str, Any], zone: ZoneInfo) -> Price:
    origin, channel = given.get("unit_origin_price"), given.get("channel_code")
    if origin is None:
        raise Unusable("A price has no unit_origin_price")
    volumes = given.get("volume_prices") or ()
    return Price(
        origin,
        given.get("unit_discount_price"),
        moment(given.get("discount_start_date"), zone, "the discount's start"),
        moment(given.get("discount_end_date"), zone, "the discount's end", ends=True),
        channels=(channel,) if channel else (),
        volumes=tuple(
            Volume(v["quantity_threshold"], v["unit_origin_price"], v.get("unit_discount_price")) for v in volumes
        ),
    )
