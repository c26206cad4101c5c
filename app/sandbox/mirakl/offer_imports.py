"""Offer imports: OF24 and OF01 write offers, OF02 and OF04 tell how far an import is, OF03 what it did not take.

How the imports pass the time and which faults they meet is in import_life, asked for by the codes OF24 and OF01,
OF02 and OF03. A line whose product this shop has told about and the operator has not decided waits: the import is
WAITING_SYNCHRONIZATION_PRODUCT until the last of them is decided. The same request again within `duplicate_seconds`
(default one day) stores nothing and gives the id of the earlier import.

OF24 replaces the whole offer: what it does not say goes back to its default, the quantity to 0. A file of OF01 in
the mode NORMAL leaves what it has no columns for; REPLACE deletes all offers that it does not name. Error lines are
numbered from 1 for OF24, as in the published sample, and with the header as line 1 for a file.
"""

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.import_life import Import, ImportQueue, check_known, flag, report_response, spoilt, uploaded
from app.sandbox.mirakl.offer_files import OfferFile, OfferLine, read_offer_file, read_offers
from app.sandbox.mirakl.offer_rules import offer_fault, prices_fault, product_fault
from app.sandbox.mirakl.offer_values import Unusable, details_of, prices_of
from app.sandbox.mirakl.offers import NO_DETAILS, Details, Offer, Price
from app.sandbox.mirakl.pages import Asked
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import write_table

MODES = ("NORMAL", "REPLACE")
STATUSES = ("WAITING_SYNCHRONIZATION_PRODUCT", "WAITING", "RUNNING", "COMPLETE", "FAILED")
_PRICE_MEMBERS = frozenset({"price", "discount", "all_prices"})


@dataclass(slots=True, kw_only=True)
class OfferImport(Import):
    code: str
    file: OfferFile
    mode: str
    errors: list[tuple[OfferLine, str]] = field(default_factory=list)
    pending: list[OfferLine] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    succeeded: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an offer will be if its line is taken. `prices` None: they stay."""

    state_code: str
    details: Details
    prices: tuple[Price, ...] | None


class OfferImports:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._imports: dict[str, OfferImport] = {}
        self._ids = itertools.count(900_001)
        self._queue = ImportQueue(shop)
        self._requests: dict[tuple[str, str], str] = {}
        self._duplicate_seconds = float(shop.config.get("duplicate_seconds", 86_400.0))
        shop.products.listeners.append(self._products_decided)

    async def of24(self, request: Request) -> Json:
        body = await request.body()
        return self._accept("OF24", "NORMAL", read_offers(body), body)

    async def of01(self, request: Request) -> Json:
        content, texts = await uploaded(request)
        mode = texts.get("import_mode")
        if mode not in MODES:
            raise Refused(400, f"import_mode is one of {', '.join(MODES)}")
        if flag(texts, "with_products"):
            raise Refused(400, "Products are not imported with offers here: use P41")
        file = read_offer_file(content, self._shop.mirrors.offer_fields)
        return self._accept("OF01", mode, file, content)

    def _accept(self, code: str, mode: str, file: OfferFile, content: bytes) -> Json:
        at, key = self._clock.timestamp(), (f"{code} {mode}", hashlib.sha256(content).hexdigest())
        repeat = self._menu.take(code, "repeat_import_id")
        if repeat is not None:
            earlier = repeat.options.get("import_id") or next(reversed(self._imports), "900000")
            return _accepted(str(earlier))
        same = self._imports.get(self._requests.get(key, ""))
        if same is not None and at < same.arrived_at + self._duplicate_seconds:
            return _accepted(same.import_id)
        stored = OfferImport(
            import_id=str(next(self._ids)), arrived_at=at, effect=EFFECT_ID.get(), code=code, file=file, mode=mode
        )
        self._imports[stored.import_id] = stored
        self._requests[key] = stored.import_id
        self._queue.plan_faults(code, stored, file.lines)
        self._queue.start(code, stored, len(file.lines), lambda: self._complete(stored))
        return _accepted(stored.import_id)

    def _complete(self, stored: OfferImport) -> None:
        if stored.mode == "REPLACE":
            named = {line.sku for line in stored.file.lines}
            gone = [sku for sku, offer in self._shop.offers.items() if not offer.deleted and sku not in named]
            for sku in gone:
                self._delete(self._shop.offers[sku], stored)
        # The lines of a file that was read are not kept.
        lines, stored.file = stored.file.lines, replace(stored.file, lines=())
        stored.read = len(lines)
        self._work(stored, lines)

    def _products_decided(self) -> None:
        for stored in self._imports.values():
            if stored.pending:
                waiting, stored.pending = stored.pending, []
                self._work(stored, waiting)

    def _work(self, stored: OfferImport, lines: Iterable[OfferLine]) -> None:
        by_product = self._offers_by_product()
        for line in lines:
            if self._waits(line):
                stored.pending.append(line)
                continue
            reason = stored.planned_errors.get(line.number) or self._apply(line, stored, by_product)
            if reason is not None:
                stored.errors.append((line, reason))
            else:
                stored.succeeded += 1
        stored.errors.sort(key=lambda error: error[0].number)
        stored.status = "WAITING_SYNCHRONIZATION_PRODUCT" if stored.pending else "COMPLETE"

    def _waits(self, line: OfferLine) -> bool:
        kind, reference = line.members.get("product_id_type"), line.members.get("product_id")
        if line.fault is not None or line.delete or not kind or not reference:
            return False
        books = self._shop.products
        return books.find(kind, reference) is None and books.is_pending(kind, reference)

    def _apply(self, line: OfferLine, stored: OfferImport, by_product: dict[tuple[str, str], str]) -> str | None:
        """Does what the line says, or tells why not."""
        offer = self._shop.live_offer(line.sku)
        if line.fault is not None:
            return line.fault
        if line.sku in stored.seen:
            return "The offer is in the file more than once"
        stored.seen.add(line.sku)
        if line.delete:
            if offer is None:
                return "The offer does not exist"
            self._delete(offer, stored, feigned=stored.feigned(line.sku))
            return None
        try:
            wanted = self._wanted(line, offer)
        except Unusable as error:
            return str(error)
        reason = self._fault(line, offer, wanted, by_product)
        if reason is None:
            stored.inserted += offer is None
            stored.updated += offer is not None
            if not stored.feigned(line.sku):
                self._write(line, offer, wanted, stored, by_product)
        return reason

    def _wanted(self, line: OfferLine, offer: Offer | None) -> Wanted:
        members, zone = line.members, self._shop.mirrors.zone
        before = offer.details if offer else NO_DETAILS
        details = details_of(members, zone, before)
        prices = prices_of(members, zone) if _PRICE_MEMBERS & members.keys() else None
        return Wanted(members.get("state_code") or (offer.state_code if offer else ""), details, prices)

    def _fault(
        self, line: OfferLine, offer: Offer | None, wanted: Wanted, by_product: dict[tuple[str, str], str]
    ) -> str | None:
        members, shop = line.members, self._shop
        kind, reference = members.get("product_id_type"), members.get("product_id")
        if not (wanted.prices or (offer and wanted.prices is None)):
            return "The price is mandatory"
        reason = (
            product_fault(offer, kind, reference, shop)
            or offer_fault(line.sku, wanted.state_code, wanted.details, members.get("quantity"), shop)
            or prices_fault(wanted.prices or (), shop, self._clock.timestamp())
        )
        if reason is not None:
            return reason
        other = by_product.get((self._product_sku(line, offer), wanted.state_code), line.sku)
        return f"The shop has an offer for this product already, with the SKU '{other}'" if other != line.sku else None

    def _write(
        self,
        line: OfferLine,
        offer: Offer | None,
        wanted: Wanted,
        stored: OfferImport,
        by_product: dict[tuple[str, str], str],
    ) -> None:
        at, shop, known = self._clock.timestamp(), self._shop, offer is not None
        if offer is None:
            offer = shop.new_offer(line.sku, self._product_sku(line, offer))
        offer.state_code, offer.updated_at = wanted.state_code, at
        offer.details = _as_kept(wanted.details, shop)
        if wanted.prices is not None:
            offer.set_prices(wanted.prices, at)
        if not known or "quantity" in line.members:
            offer.set_quantity(line.members.get("quantity") or 0, "", at)
        by_product[offer.product_sku, offer.state_code] = offer.sku
        shop.kernel.ledger.record(
            stored.code,
            effect=stored.effect,
            import_id=int(stored.import_id),
            sku=line.sku,
            line=line.number,
            action="update" if known else "insert",
            quantity=offer.quantity,
            price=offer.price,
            prices=len(offer.prices),
        )

    def _delete(self, offer: Offer, stored: OfferImport, *, feigned: bool = False) -> None:
        stored.deleted += 1
        if not feigned:
            self._shop.delete_offers([offer.sku])
            self._shop.kernel.ledger.record(
                stored.code, effect=stored.effect, import_id=int(stored.import_id), sku=offer.sku, action="delete"
            )

    def _product_sku(self, line: OfferLine, offer: Offer | None) -> str:
        if offer is not None:
            return offer.product_sku
        found = self._shop.products.find(str(line.members["product_id_type"]), str(line.members["product_id"]))
        return found.sku if found else ""

    def _offers_by_product(self) -> dict[tuple[str, str], str]:
        live = (offer for offer in self._shop.offers.values() if not offer.deleted)
        return {(offer.product_sku, offer.state_code): offer.sku for offer in live}

    async def of02(self, request: Request) -> Json:
        stored = self._known(request)
        check_known(self._menu, "OF02", stored.import_id)
        return Json(spoilt(self._menu, "OF02", _shown(stored)))

    async def of03(self, request: Request) -> Response:
        stored = self._known(request)
        rows = [(*line.cells, str(line.number), reason) for line, reason in stored.errors]
        header = (*stored.file.columns, "error-line", "error-message")
        report = write_table([header, *rows]) if rows else None
        return report_response(self._menu, "OF03", report, "application/octet-stream")

    async def of04(self, request: Request) -> Json:
        asked = Asked(request, "dateCreated", default_order="DESC")
        query = asked.query
        status, mode = query.get("status"), query.get("mode")
        if status not in (None, *STATUSES) or mode not in (None, *MODES):
            raise Refused(400, "Error with parameter status or mode. Please check its type.")
        origins = asked.values("origins")
        chosen = [
            stored
            for stored in self._imports.values()
            if status in (None, stored.status)
            and mode in (None, stored.mode)
            and (not origins or "API" in origins)
            and asked.within("start_date", "end_date", stored.arrived_at)
        ]
        more = {"origin": "API", "shop_id": self._shop.shop_id}
        return asked.page(chosen, lambda s: (s.arrived_at, s.import_id), lambda s: _shown(s) | more)

    def _known(self, request: Request) -> OfferImport:
        import_id = request.path_params["import"]
        stored = self._imports.get(import_id)
        if stored is None:
            raise Refused(404, f"No import with id '{import_id}'")
        return stored


def _as_kept(details: Details, shop: Shop) -> Details:
    """A lead time of 0 is kept as 1 unless 0 is the shop's own; where sellers have no say it is the shop's."""
    if shop.mirrors.feature("lead_time_to_ship_by_sellers_enabled") == "NO":
        return replace(details, leadtime_to_ship=None)
    if details.leadtime_to_ship == 0 and shop.default_lead_time != 0:
        return replace(details, leadtime_to_ship=1)
    return details


def _shown(stored: OfferImport) -> dict[str, Any]:
    shown = {
        "date_created": iso(stored.arrived_at),
        "has_error_report": bool(stored.errors) and stored.status == "COMPLETE",
        "import_id": int(stored.import_id),
        "lines_in_error": len(stored.errors),
        "lines_in_pending": len(stored.pending),
        "lines_in_success": stored.succeeded,
        "lines_read": stored.read,
        "mode": stored.mode,
        "offer_deleted": stored.deleted,
        "offer_inserted": stored.inserted,
        "offer_updated": stored.updated,
        "status": stored.status,
    }
    return shown | ({"reason_status": stored.reason} if stored.reason else {})


def _accepted(import_id: str) -> Json:
    return Json({"import_id": int(import_id)}, 201, {"Location": f"/api/offers/imports/{import_id}"})
