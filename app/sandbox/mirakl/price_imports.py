"""Price imports: PRI01 stores a file, PRI02 tells how far it is, PRI03 what it did not take.

How the imports pass the time and which faults they meet is in import_life. The file replaces all prices of each offer
that it names: a price it does not repeat is gone. One bad line keeps its whole offer as it was, and the offer's other
lines are in error with it. An offer has at most 50 prices, and its lines stand together.

With price approval (POST /_sandbox/shop {"price_approval": true}) the new prices are pending: the old ones are live
until the operator approves or rejects (POST /_sandbox/prices). The seller's API does not show what is pending.
"""

import hashlib
import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.import_life import (
    Import,
    ImportQueue,
    check_known,
    line_report,
    report_response,
    spoilt,
    uploaded,
)
from app.sandbox.mirakl.offer_rules import prices_fault
from app.sandbox.mirakl.offer_values import Unusable, moment, number_of, ranges_of, volumes_of
from app.sandbox.mirakl.offers import Price
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import read_table

STATUSES = ("WAITING", "RUNNING", "COMPLETE", "FAILED")
_REQUIRED = ("offer-sku", "price", "discount-price", "discount-start-date", "discount-end-date")
_OPTIONAL = (
    *("price-ranges", "discount-ranges", "channels", "start-date", "end-date"),
    *("customer-organization-ids", "customer-group-ids", "price-type"),
)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One row; the header is line 1. Either a price or the fault."""

    number: int
    cells: tuple[str, ...]
    sku: str
    price: Price | None = None
    fault: str | None = None


@dataclass(slots=True, kw_only=True)
class PriceImport(Import):
    columns: tuple[str, ...]
    lines: tuple[PriceLine, ...]
    errors: list[tuple[PriceLine, str]] = field(default_factory=list)
    succeeded: int = 0
    offers_updated: int = 0
    offers_in_error: int = 0


class PriceImports:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._imports: dict[str, PriceImport] = {}
        self._queue = ImportQueue(shop)
        self._requests: dict[str, str] = {}
        self._duplicate_seconds = float(shop.config.get("duplicate_seconds", 86_400.0))

    async def pri01(self, request: Request) -> Json:
        content, _ = await uploaded(request)
        columns, lines = read_prices(content, self._shop.mirrors.zone)
        at, key = self._clock.timestamp(), hashlib.sha256(content).hexdigest()
        repeat = self._menu.take("PRI01", "repeat_import_id")
        if repeat is not None:
            earlier = repeat.options.get("import_id") or next(reversed(self._imports), str(uuid.UUID(int=1)))
            return _accepted(str(earlier))
        same = self._imports.get(self._requests.get(key, ""))
        if same is not None and at < same.arrived_at + self._duplicate_seconds:
            return _accepted(same.import_id)
        stored = PriceImport(
            import_id=str(uuid.uuid4()), arrived_at=at, effect=EFFECT_ID.get(), columns=columns, lines=lines
        )
        self._imports[stored.import_id] = stored
        self._requests[key] = stored.import_id
        self._queue.plan_faults("PRI01", stored, lines)
        self._queue.start("PRI01", stored, len(lines), lambda: self._complete(stored))
        return _accepted(stored.import_id)

    def _complete(self, stored: PriceImport) -> None:
        seen: set[str] = set()
        # The lines of a file that was read are not kept.
        read, stored.lines = stored.lines, ()
        for sku, group in itertools.groupby(read, key=lambda line: line.sku):
            lines = list(group)
            reasons = self._reasons(sku, lines, stored, seen)
            seen.add(sku)
            if reasons:
                stored.offers_in_error += 1
                stored.errors.extend(reasons)
                continue
            stored.offers_updated += 1
            stored.succeeded += len(lines)
            if not stored.feigned(sku):
                self._apply(sku, tuple(line.price for line in lines if line.price is not None), stored)
        stored.status = "COMPLETE"

    def _reasons(
        self, sku: str, lines: Sequence[PriceLine], stored: PriceImport, seen: set[str]
    ) -> list[tuple[PriceLine, str]]:
        """A reason for each line of an offer, or none at all."""
        own = {line.number: line.fault or stored.planned_errors.get(line.number) for line in lines}
        shared: str | None = None
        if self._shop.live_offer(sku) is None:
            shared = "Offer not found"
        elif sku in seen:
            shared = "The lines of an offer must stand together"
        elif not any(own.values()):
            prices = tuple(line.price for line in lines if line.price is not None)
            shared = prices_fault(prices, self._shop, self._clock.timestamp())
        if shared is None and not any(own.values()):
            return []
        return [(line, own[line.number] or shared or "Another line of this offer is in error") for line in lines]

    def _apply(self, sku: str, prices: tuple[Price, ...], stored: PriceImport) -> None:
        offer, at = self._shop.offers[sku], self._clock.timestamp()
        if self._shop.price_approval:
            offer.pending_prices = prices
        else:
            offer.set_prices(prices, at)
        self._shop.kernel.ledger.record(
            "PRI01",
            effect=stored.effect,
            import_id=stored.import_id,
            sku=sku,
            price=next((float(price.origin) for price in prices if price.is_default), None),
            prices=len(prices),
            pending=self._shop.price_approval,
        )

    async def pri02(self, request: Request) -> Json:
        asked = Asked(request, "dateCreated", default_order="DESC")
        ids, status = asked.values("import_id"), asked.query.get("status")
        if status not in (None, *STATUSES):
            raise Refused(400, "Error with parameter status. Please check its type.")
        for import_id in ids:
            check_known(self._menu, "PRI02", import_id)
        chosen = [
            stored
            for stored in self._imports.values()
            if (not ids or stored.import_id in ids)
            and status in (None, stored.status)
            and asked.within("start_date", "end_date", stored.arrived_at)
        ]
        return asked.page(chosen, lambda s: (s.arrived_at, s.import_id), self._shown)

    async def pri03(self, request: Request) -> Response:
        import_id = request.path_params["import_id"]
        stored = self._imports.get(import_id)
        if stored is None:
            raise Refused(404, f"No import with id '{import_id}'")
        report = line_report(stored.columns, stored.errors) if stored.errors else None
        return report_response(self._menu, "PRI03", report, "text/csv")

    def _shown(self, stored: PriceImport) -> dict[str, Any]:
        body = {
            "date_created": iso(stored.arrived_at),
            "has_error_report": bool(stored.errors),
            "import_id": stored.import_id,
            "lines_in_error": len(stored.errors),
            "lines_in_success": stored.succeeded,
            "offers_in_error": stored.offers_in_error,
            "offers_updated": stored.offers_updated,
            "origin": "API",
            "reason_status": stored.reason,
            "shop_id": self._shop.shop_id,
            "status": stored.status,
        }
        return spoilt(self._menu, "PRI02", body)


def read_prices(content: bytes, zone: ZoneInfo) -> tuple[tuple[str, ...], tuple[PriceLine, ...]]:
    """Columns and lines; Refused (400) when the file as a whole cannot be read."""
    header, *rows = read_table(content, ";")
    unknown = [name for name in header if name not in (*_REQUIRED, *_OPTIONAL)]
    missing = [name for name in _REQUIRED if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        raise Refused(400, f"Invalid header: unknown columns {unknown}, missing columns {missing}")
    return tuple(header), tuple(_line(number, header, row, zone) for number, row in enumerate(rows, 2) if row)


def _line(number: int, header: list[str], row: list[str], zone: ZoneInfo) -> PriceLine:
    cells = tuple(row)
    if len(row) != len(header):
        return PriceLine(
            number,
            cells,
            row[header.index("offer-sku")] if len(row) > len(header) else row[0],
            fault="Wrong number of columns",
        )
    given = dict(zip(header, row, strict=True))
    try:
        return PriceLine(number, cells, given["offer-sku"], _price(given, zone))
    except Unusable as error:
        return PriceLine(number, cells, given["offer-sku"], fault=str(error))


def _price(given: dict[str, str], zone: ZoneInfo) -> Price:
    if given.get("price-type"):
        raise Unusable("Retail prices are not activated")
    if not given["price"]:
        raise Unusable("The price is mandatory")
    origin, discount = number_of(given["price"]), given["discount-price"]

    def codes(name: str) -> tuple[str, ...]:
        return tuple(sorted(filter(None, given.get(name, "").split("|"))))

    def date(name: str, *, ends: bool = False) -> float | None:
        return moment(given.get(name) or None, zone, name, ends=ends)

    return Price(
        origin,
        number_of(discount) if discount else None,
        date("discount-start-date"),
        date("discount-end-date", ends=True),
        codes("channels"),
        date("start-date"),
        date("end-date", ends=True),
        codes("customer-organization-ids"),
        codes("customer-group-ids"),
        volumes_of(origin, ranges_of(given.get("price-ranges")), ranges_of(given.get("discount-ranges"))),
    )


def _accepted(import_id: str) -> Json:
    location = f"/api/offers/pricing/imports?import_id={import_id}"
    return Json({"import_id": import_id, "importId": import_id}, 201, {"Location": location})
