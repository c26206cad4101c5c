"""Stock imports: STO01 stores a file, the shop works on its files one after the other, STO02 and STO03 tell.

How the imports pass the time and which faults they meet is in import_life; the codes are those three. The lines
take effect at the moment of COMPLETE, in the order of the file.
"""

import uuid
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.faults import Fault
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
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.stockfile import StockFile, StockLine, read_stock_file


@dataclass(slots=True, kw_only=True)
class StockImport(Import):
    file: StockFile
    errors: list[tuple[StockLine, str]] = field(default_factory=list)
    succeeded: int = 0


class StockImports:
    """All imports of the shop since the start."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._imports: dict[str, StockImport] = {}
        self._queue = ImportQueue(shop)

    async def sto01(self, request: Request) -> Json:
        content, _ = await uploaded(request)
        file = read_stock_file(content)
        repeat = self._menu.take("STO01", "repeat_import_id")
        if repeat is not None:
            return _accepted(self._earlier_id(repeat))
        stored = StockImport(
            import_id=str(uuid.uuid4()), arrived_at=self._clock.timestamp(), effect=EFFECT_ID.get(), file=file
        )
        self._queue.plan_faults("STO01", stored, file.lines)
        self._imports[stored.import_id] = stored
        self._queue.start("STO01", stored, len(file.lines), lambda: self._complete(stored))
        return _accepted(stored.import_id)

    async def sto02(self, request: Request) -> Json:
        stored = self._known(request.path_params["import_id"])
        check_known(self._menu, "STO02", stored.import_id)
        body = {
            "date_created": iso(stored.arrived_at),
            "has_error_report": bool(stored.errors),
            "import_id": stored.import_id,
            "lines_in_error": len(stored.errors),
            "lines_in_success": stored.succeeded,
            "shop_id": self._shop.shop_id,
            "status": stored.status,
        }
        return Json(spoilt(self._menu, "STO02", body))

    async def sto03(self, request: Request) -> Response:
        stored = self._known(request.path_params["import_id"])
        report = line_report(stored.file.columns, stored.errors) if stored.errors else None
        return report_response(self._menu, "STO03", report, "text/csv")

    def _known(self, import_id: str) -> StockImport:
        stored = self._imports.get(import_id)
        if stored is None:
            raise Refused(404, f"No import with id '{import_id}'")
        return stored

    def _earlier_id(self, fault: Fault) -> str:
        """The id the fault names, else that of the newest import, else one from before the sandbox began."""
        named = fault.options.get("import_id")
        return str(named or next(reversed(self._imports), None) or uuid.uuid5(uuid.NAMESPACE_URL, "earlier"))

    def _complete(self, stored: StockImport) -> None:
        at, seen = self._clock.timestamp(), set[tuple[str, str]]()
        for line in stored.file.lines:
            reason = stored.planned_errors.get(line.number) or self._why_not(line, seen)
            if reason is not None:
                stored.errors.append((line, reason))
                continue
            seen.add((line.sku, line.warehouse))
            stored.succeeded += 1
            if not stored.feigned(line.sku):
                self._apply(line, stored, at)
        stored.status = "COMPLETE"

    def _why_not(self, line: StockLine, seen: set[tuple[str, str]]) -> str | None:
        if line.fault is not None:
            return line.fault
        if self._shop.live_offer(line.sku) is None:
            return "Offer not found"
        if line.warehouse and line.warehouse not in self._shop.warehouse_codes:
            return f"Warehouse with code {line.warehouse} does not exist"
        if (line.sku, line.warehouse) in seen:
            return "The offer is in the file more than once"
        return None

    def _apply(self, line: StockLine, stored: StockImport, at: float) -> None:
        offer = self._shop.offers[line.sku]
        if line.delete:
            offer.remove_warehouse(line.warehouse, at)
        else:
            offer.set_quantity(line.quantity, line.warehouse, at)
        self._shop.kernel.ledger.record(
            "STO01",
            effect=stored.effect,
            import_id=stored.import_id,
            sku=line.sku,
            quantity=None if line.delete else line.quantity,
            warehouse=line.warehouse or None,
            line=line.number,
        )


def _accepted(import_id: str) -> Json:
    location = f"/api/offers/stock/imports/{import_id}/status"
    return Json({"import_id": import_id}, 201, {"Location": location})
