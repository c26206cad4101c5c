"""Offer exports: OF52 takes the order, OF53 tells how far it is, OF54 gives the files.

The rows are those of the moment of the request. With `last_request_date` only offers changed since then are given,
deleted ones among them; without, all that live. Inactive offers (not enabled, no stock, shop not open) only with
`include_inactive_offers`. A file holds `items_per_chunk` rows, or `export_chunk` of the config when that is smaller.
The same request while its export is PENDING gets the same tracking id. Its life, and its fault kinds: see
`export_life`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.export_life import Export, Exports, one_by_one
from app.sandbox.mirakl.offer_shown import CSV_FIELDS, JSON_FIELDS, Reader
from app.sandbox.mirakl.offers import Offer
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import write_table

KINDS = frozenset({"export_failed", "foreign_url", "new_enum"})

_SMALLEST_CHUNK, _LARGEST_CHUNK = 10_000, 1_000_000
_SMALLEST_MEGABYTES, _LARGEST_MEGABYTES = 10, 1_000

# Documented fields about which the stand-in knows nothing: they may be asked for and are null.
_JSON_EMPTY_FIELDS = (
    *("favorite_rank", "fulfillment", "is_professional", "measurement", "min_shipping_price"),
    *("min_shipping_price_additional", "min_shipping_type", "min_shipping_zone", "ongoing_discount_campaigns"),
    *("premium", "retail_prices", "shipping_types"),
)
_CSV_EMPTY_FIELDS = (
    *("favorite-rank", "min-shipping-price", "min-shipping-price-additional", "min-shipping-type"),
    *("min-shipping-zone", "premium", "professional"),
)
_ROWS_A_PIECE = 500


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What OF52 was asked for. `since` is app time in Unix seconds; None is a full export."""

    is_json: bool
    since: float | None
    with_inactive: bool
    fields: tuple[str, ...]
    rename: dict[str, str]
    chunk: int


@dataclass(slots=True, kw_only=True)
class OfferExport(Export):
    """`rows` are the offers as they were at the request, and whether each was on sale."""

    order: ExportOrder
    rows: list[tuple[Offer, bool]]

    def files(self) -> int:
        """An export without rows is one empty file."""
        return max(1, -(-len(self.rows) // self.order.chunk))

    def content(self, number: int, shop: Shop) -> Iterator[bytes]:
        """One file, piece by piece: a large one is never in memory as a whole."""
        rows = self.rows[number * self.order.chunk : (number + 1) * self.order.chunk]
        pieces = (rows[start : start + _ROWS_A_PIECE] for start in range(0, len(rows), _ROWS_A_PIECE))
        return self._json(pieces, shop) if self.order.is_json else self._csv(pieces, shop)

    @property
    def _names(self) -> list[str]:
        return [self.order.rename.get(name, name) for name in self.order.fields]

    def _json(self, pieces: Iterable[list[tuple[Offer, bool]]], shop: Shop) -> Iterator[bytes]:
        names, between = self._names, "["
        for piece in pieces:
            shown = (json.dumps(dict(zip(names, row, strict=True))) for row in self._values(piece, shop, JSON_FIELDS))
            yield (between + ",".join(shown)).encode()
            between = ","
        yield b"[]" if between == "[" else b"]"

    def _csv(self, pieces: Iterable[list[tuple[Offer, bool]]], shop: Shop) -> Iterator[bytes]:
        yield write_table([self._names])
        for piece in pieces:
            values = self._values(piece, shop, CSV_FIELDS)
            yield write_table([_csv_text(value) for value in row] for row in values)

    def _values(self, piece: list[tuple[Offer, bool]], shop: Shop, known: Mapping[str, Reader]) -> Iterator[list[Any]]:
        readers = [known.get(name, _no_value) for name in self.order.fields]
        at_active = self.order.fields.index("active") if "active" in self.order.fields else None
        for offer, active in piece:
            row = [read(shop, offer) for read in readers]
            if at_active is not None:
                row[at_active] = active
            yield row


class OfferExports:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._exports = Exports[OfferExport](shop, "OF52", "OF53", "offers")

    async def of52(self, request: Request) -> Json:
        body = await request.body()
        for export in self._exports.pending():
            if export.request == body:
                return Json({"tracking_id": export.tracking_id})
        order = read_order(body, self._shop.config.get("export_chunk"))
        at = self._shop.kernel.clock.timestamp()
        export = OfferExport(request=body, updated_at=at, order=order, rows=self._rows(order))
        self._exports.begin(export)
        return Json({"tracking_id": export.tracking_id})

    async def of53(self, request: Request) -> Json:
        return self._exports.status(request)

    async def of54(self, request: Request) -> Response:
        export, number = self._exports.take(request)
        media_type = "application/json" if export.order.is_json else "text/csv"
        return StreamingResponse(one_by_one(export.content(number, self._shop)), media_type=media_type)

    def _rows(self, order: ExportOrder) -> list[tuple[Offer, bool]]:
        offers = ((offer, self._shop.is_active(offer)) for offer in self._shop.offers.values())
        return [(offer.snapshot(), active) for offer, active in offers if _belongs(offer, order, active=active)]


def _belongs(offer: Offer, order: ExportOrder, *, active: bool) -> bool:
    if order.since is not None and offer.updated_at < order.since:
        return False
    if offer.deleted:
        return order.since is not None
    return order.with_inactive or active


def read_order(body: bytes, export_chunk: int | None) -> ExportOrder:
    """Raises Refused (400) for a body that the platform would not take."""
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, "The body is not JSON") from error
    if not isinstance(members, dict):
        raise Refused(400, "The body must be an object")
    # CSV is what the platform writes when no type is named.
    export_type = members.get("export_type") or "text/csv"
    if export_type not in ("text/csv", "application/json"):
        raise Refused(400, "export_type is text/csv or application/json")
    is_json = export_type == "application/json"
    chunk = _bounded(members, "items_per_chunk", _SMALLEST_CHUNK, _LARGEST_CHUNK) or _LARGEST_CHUNK
    _bounded(members, "megabytes_per_chunk", _SMALLEST_MEGABYTES, _LARGEST_MEGABYTES)
    with_inactive = members.get("include_inactive_offers") or False
    rename = members.get("rename_fields") or {}
    if not isinstance(with_inactive, bool) or not isinstance(rename, dict):
        raise Refused(400, "include_inactive_offers is a boolean and rename_fields an object")
    return ExportOrder(
        is_json,
        _instant(members.get("last_request_date")),
        with_inactive,
        _fields(members.get("include_fields"), is_json=is_json),
        rename,
        min(chunk, export_chunk or chunk),
    )


def _fields(wanted: Any, *, is_json: bool) -> tuple[str, ...]:
    known = [*JSON_FIELDS, *_JSON_EMPTY_FIELDS] if is_json else [*CSV_FIELDS, *_CSV_EMPTY_FIELDS]
    known.append("active")
    if not wanted:
        return tuple(sorted(known))
    if not isinstance(wanted, list) or not set(map(str, wanted)) <= set(known):
        raise Refused(400, "include_fields names a field that is not exported in this format")
    return tuple(wanted)


def _bounded(members: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = members.get(name)
    if value is not None and (not isinstance(value, int) or not least <= value <= most):
        raise Refused(400, f"{name} must be between {least} and {most}")
    return value


def _instant(text: Any) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Refused(400, "last_request_date is not an ISO 8601 date") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _no_value(shop: Shop, offer: Offer) -> None:
    """A documented field about which the stand-in knows nothing."""


def _csv_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
