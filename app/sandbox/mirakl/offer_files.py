"""Offers as they are sent: the body of OF24 and the file of OF01, as lines that are alike.

A line says what becomes of an offer: a member with a value is set, one with None goes back to its default, one that
is missing stays. OF24 names them all (full replace); a file in the mode NORMAL only those whose columns it has.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.offer_values import OFFER, Unusable, number_of, ranges_of, typed, volumes_of
from app.sandbox.mirakl.tables import read_table

# A report of OF24 is the file that the shop might have sent.
OF24_COLUMNS = {
    "sku": "shop_sku",
    "product-id": "product_id",
    "product-id-type": "product_id_type",
    "description": "description",
    "internal-description": "internal_description",
    "price": "price",
    "quantity": "quantity",
    "state": "state_code",
    "leadtime-to-ship": "leadtime_to_ship",
    "update-delete": "update_delete",
}
_FILE_COLUMNS = {
    **OF24_COLUMNS,
    "price-additional-info": "price_additional_info",
    "min-quantity-alert": "min_quantity_alert",
    "available-start-date": "available_started",
    "available-end-date": "available_ended",
    "logistic-class": "logistic_class",
    "allow-quote-requests": "allow_quote_requests",
    "min-order-quantity": "min_order_quantity",
    "max-order-quantity": "max_order_quantity",
    "package-quantity": "package_quantity",
    "product-tax-code": "product_tax_code",
}
_PRICE_COLUMN = re.compile(
    r"(price|discount-price|discount-start-date|discount-end-date|price-ranges|discount-ranges)(?:\[channel=(.+)\])?"
)
_MEMBERS = tuple(name for name in OFFER if name not in ("shop_sku", "update_delete"))


@dataclass(frozen=True, slots=True)
class OfferLine:
    """`cells` are the line as its report gives it back; `fault` is why it can never be applied."""

    number: int
    cells: tuple[str, ...]
    sku: str
    delete: bool
    members: dict[str, Any]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class OfferFile:
    columns: tuple[str, ...]
    lines: tuple[OfferLine, ...]


def read_offers(body: bytes) -> OfferFile:
    """The body of OF24, its offers numbered from 1; Refused (400) when it is no such body."""
    try:
        members = json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise Refused(400, "The body is not JSON") from error
    if not isinstance(members, dict) or not isinstance(members.get("offers"), list):
        raise Refused(400, "The body must be an object with the array 'offers'")
    given = [typed(OFFER, offer, "offers") for offer in members["offers"] if offer is not None]
    return OfferFile(tuple(OF24_COLUMNS), tuple(_of24_line(number, offer) for number, offer in enumerate(given, 1)))


def _of24_line(number: int, offer: dict[str, Any]) -> OfferLine:
    cells = tuple(_cell(offer.get(member)) for member in OF24_COLUMNS.values())
    missing = [name for name in ("shop_sku", "state_code", "price", "update_delete") if offer.get(name) is None]
    fault = f"The field '{missing[0]}' is mandatory" if missing else None
    whole = {name: offer.get(name) for name in _MEMBERS}
    return OfferLine(number, cells, offer.get("shop_sku") or "", offer.get("update_delete") == "delete", whole, fault)


def read_offer_file(content: bytes, field_codes: Iterable[str]) -> OfferFile:
    """A CSV file of OF01; columns that are neither the platform's nor a custom field's come back in the report."""
    header, *rows = read_table(content, ";", "utf-8-sig")
    columns = tuple(header)
    if "sku" not in columns or len(set(columns)) != len(columns):
        raise Refused(400, "Invalid header: the column 'sku' is missing, or a column is there twice")
    codes = frozenset(field_codes)
    lines = (_file_line(number, columns, row, codes) for number, row in enumerate(rows, 2) if row)
    return OfferFile(columns, tuple(lines))


def _file_line(number: int, columns: Sequence[str], row: list[str], codes: frozenset[str]) -> OfferLine:
    cells = tuple(row)
    if len(row) != len(columns):
        return OfferLine(number, cells, "", False, {}, "Wrong number of columns")
    given = dict(zip(columns, row, strict=True))
    action = given.pop("update-delete", "").lower()
    raw: dict[str, Any] = {_FILE_COLUMNS[name]: text or None for name, text in given.items() if name in _FILE_COLUMNS}
    fields = [{"code": name, "value": text} for name, text in given.items() if name in codes and text]
    if codes.intersection(given):
        raw["offer_additional_fields"] = fields
    try:
        raw |= _file_prices(given)
        members = typed({name: OFFER[name] for name in raw}, raw)
    except (Refused, Unusable) as error:
        return OfferLine(number, cells, given["sku"], False, {}, str(error))
    members.pop("shop_sku")
    fault = None if action in ("", "update", "delete") else "Unknown value in update-delete"
    return OfferLine(number, cells, given["sku"], action == "delete", members, fault)


def _file_prices(given: dict[str, str]) -> dict[str, Any]:
    """The columns of prices as OF24's `all_prices`, one entry for each channel that has a price."""
    by_channel: dict[str | None, dict[str, str]] = {}
    for name, text in given.items():
        column = _PRICE_COLUMN.fullmatch(name)
        if column:
            by_channel.setdefault(column[2], {})[column[1]] = text
    if not by_channel:
        return {}
    entries = [_entry(channel, texts) for channel, texts in by_channel.items() if texts.get("price")]
    return {"price": given.get("price") or None, "all_prices": entries}


def _entry(channel: str | None, texts: dict[str, str]) -> dict[str, Any]:
    origins, discounts = ranges_of(texts.get("price-ranges")), ranges_of(texts.get("discount-ranges"))
    volumes = [
        {"quantity_threshold": v.threshold, "unit_origin_price": v.origin, "unit_discount_price": v.discount}
        for v in volumes_of(number_of(texts["price"]), origins, discounts)
    ]
    return {
        "channel_code": channel,
        "unit_origin_price": texts["price"],
        "unit_discount_price": texts.get("discount-price") or None,
        "discount_start_date": texts.get("discount-start-date") or None,
        "discount_end_date": texts.get("discount-end-date") or None,
        "volume_prices": volumes,
    }


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
