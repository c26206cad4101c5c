"""Stock imports: STO01 stores a file, the shop works on its files one after the other, STO02 and STO03 tell.

WAITING for a third of `import_seconds`, then RUNNING, then COMPLETE after `import_seconds` and
`import_line_seconds` for each line, all in app time from the arrival (or from the end of the file before).
The lines take effect at the moment of COMPLETE, in the order of the file, whether anybody asks or not.

Fault kinds of its own, asked for when the file arrives (code STO01): `import_failed`, `import_stuck`,
`accepted_not_applied` (COMPLETE and clean, nothing changed; `skus` narrows it), `line_error` (`skus`,
`message`: these lines fail; a file without them does not use it up), `repeat_import_id` (answers with an
earlier id, stores nothing). When the status is asked for (STO02): `import_unknown`, `new_enum` (`value`,
default PAUSED) and, of a finished import, `counts_off` (`lines_in_success`, `lines_in_error`; default one
success too few). When the report is (STO03): `report_missing`, `report_garbage`.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.faults import Fault
from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.stockfile import StockFile, StockLine, read_stock_file, write_report

KINDS = frozenset(
    {
        "import_failed",
        "import_stuck",
        "accepted_not_applied",
        "line_error",
        "repeat_import_id",
        "import_unknown",
        "new_enum",
        "counts_off",
        "report_missing",
        "report_garbage",
    }
)


@dataclass(slots=True)
class StockImport:
    """A stored file and what became of it. `feigned` are lines said to be applied that are not."""

    import_id: str
    arrived_at: float
    effect: str | None
    file: StockFile
    status: str = "WAITING"
    planned_errors: dict[int, str] = field(default_factory=dict)
    feigned: Callable[[StockLine], bool] = lambda _: False
    errors: list[tuple[StockLine, str]] = field(default_factory=list)
    succeeded: int = 0


class StockImports:
    """All imports of the shop since the start."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._imports: dict[str, StockImport] = {}
        self._busy_until = 0.0
        self._import_seconds = float(shop.config.get("import_seconds", 3.0))
        self._line_seconds = float(shop.config.get("import_line_seconds", 0.0))

    async def sto01(self, request: Request) -> Json:
        content = await _uploaded_file(request)
        file = read_stock_file(content)
        repeat = self._menu.take("STO01", "repeat_import_id")
        if repeat is not None:
            return _accepted(self._earlier_id(repeat))
        stored = StockImport(str(uuid.uuid4()), self._clock.timestamp(), EFFECT_ID.get(), file)
        self._plan_faults(stored)
        self._imports[stored.import_id] = stored
        self._schedule(stored)
        return _accepted(stored.import_id)

    async def sto02(self, request: Request) -> Json:
        stored = self._known(request.path_params["import_id"])
        if self._menu.take("STO02", "import_unknown") is not None:
            raise Refused(404, f"No import with id '{stored.import_id}'")
        body = {
            "date_created": iso(stored.arrived_at),
            "has_error_report": bool(stored.errors),
            "import_id": stored.import_id,
            "lines_in_error": len(stored.errors),
            "lines_in_success": stored.succeeded,
            "shop_id": self._shop.shop_id,
            "status": stored.status,
        }
        if stored.status == "COMPLETE":
            body |= self._falsified_counts(stored)
        odd = self._menu.take("STO02", "new_enum")
        return Json(body if odd is None else {**body, "status": odd.options.get("value", "PAUSED")})

    async def sto03(self, request: Request) -> Response:
        stored = self._known(request.path_params["import_id"])
        if self._menu.take("STO03", "report_missing") is not None or not stored.errors:
            raise Refused(404, "There is no error report for this import")
        garbage = self._menu.take("STO03", "report_garbage")
        if garbage is not None:
            text = garbage.body if garbage.body is not None else 'line "7" ;;"\nno, such;"thing\x00'
            return Response(text.encode(), media_type="text/csv")
        return Response(write_report(stored.file.columns, stored.errors), media_type="text/csv")

    def _known(self, import_id: str) -> StockImport:
        stored = self._imports.get(import_id)
        if stored is None:
            raise Refused(404, f"No import with id '{import_id}'")
        return stored

    def _earlier_id(self, fault: Fault) -> str:
        """The id the fault names, else that of the newest import, else one from before the sandbox began."""
        named = fault.options.get("import_id")
        return str(named or next(reversed(self._imports), None) or uuid.uuid5(uuid.NAMESPACE_URL, "earlier"))

    def _plan_faults(self, stored: StockImport) -> None:
        skus = {line.sku for line in stored.file.lines}

        def concerns(fault: Fault) -> bool:
            wanted = fault.options.get("skus")
            return wanted is None or not skus.isdisjoint(wanted)

        for fault in self._menu.take_all("STO01", "line_error", concerns):
            wanted, message = fault.options.get("skus"), str(fault.options.get("message", "Offer is locked"))
            hit = (line for line in stored.file.lines if wanted is None or line.sku in wanted)
            stored.planned_errors |= {line.number: message for line in hit}
        feigned = self._menu.take("STO01", "accepted_not_applied", concerns)
        if feigned is not None:
            narrowed = feigned.options.get("skus")
            stored.feigned = lambda line: narrowed is None or line.sku in narrowed

    def _schedule(self, stored: StockImport) -> None:
        begins_at = max(stored.arrived_at, self._busy_until) + self._import_seconds / 3
        work_seconds = self._import_seconds * 2 / 3 + self._line_seconds * len(stored.file.lines)

        def run() -> None:
            stored.status = "RUNNING"

        def fail() -> None:
            stored.status = "FAILED"

        self._clock.at(begins_at, run)
        if self._menu.take("STO01", "import_stuck") is not None:
            return  # for ever, and the next files pass it by
        failed = self._menu.take("STO01", "import_failed") is not None
        self._busy_until = begins_at + work_seconds
        self._clock.at(self._busy_until, fail if failed else lambda: self._complete(stored))

    def _complete(self, stored: StockImport) -> None:
        at, seen = self._clock.timestamp(), set[tuple[str, str]]()
        for line in stored.file.lines:
            reason = stored.planned_errors.get(line.number) or self._why_not(line, seen)
            if reason is not None:
                stored.errors.append((line, reason))
                continue
            seen.add((line.sku, line.warehouse))
            stored.succeeded += 1
            if not stored.feigned(line):
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

    def _falsified_counts(self, stored: StockImport) -> dict[str, Any]:
        fault = self._menu.take("STO02", "counts_off")
        if fault is None:
            return {}
        return {
            "lines_in_success": fault.options.get("lines_in_success", max(stored.succeeded - 1, 0)),
            "lines_in_error": fault.options.get("lines_in_error", len(stored.errors)),
        }


async def _uploaded_file(request: Request) -> bytes:
    """The part `file` of a multipart body; Refused (400) when there is none."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(400, "A multipart/form-data body is expected")
    async with request.form(max_files=1, max_fields=20) as form:
        part = form.get("file")
        if isinstance(part, UploadFile):
            return await part.read()
        if isinstance(part, str):
            return part.encode()
    raise Refused(400, "The part 'file' is missing")


def _accepted(import_id: str) -> Json:
    location = f"/api/offers/stock/imports/{import_id}/status"
    return Json({"import_id": import_id}, 201, {"Location": location})
