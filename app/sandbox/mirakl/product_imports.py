"""Product imports: P41 stores a file, P42 and P51 tell how far it is, P44 to P47 give its reports.

The way of a file, in app time: TRANSFORMATION_WAITING, TRANSFORMATION_RUNNING, WAITING and RUNNING for
`product_stage_seconds` each (default 1), then SENT for `sent_seconds` (default 60; null: until the admin decides),
then COMPLETE. The transformation checks every row (product_rules): a row with an error is in P47 and goes no further.
What is SENT is with the operator: CM11 shows it as waiting, its decision is in P44, P45 and CM11. A file that cannot
be read, or that is not in the operator's format (the shop has mapped none of its own), is TRANSFORMATION_FAILED.

The delimiter is the one of PC01; all reports are in it too: P47 with `line number`, `errors`, `warnings` before the
file's own columns, P44 with `errors` after them.

Fault kinds of its own (P41): `transformation_failed`; `rows_lost` (`skus`: they are in no report, and go no further);
`import_failed` (FAILED instead of SENT) and `import_stuck` (RUNNING for ever). Those of import_life when the status
(P42) or a report (P44 to P47) is asked for.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.clock import iso
from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.import_life import Import, check_known, flag, report_response, spoilt, uploaded
from app.sandbox.mirakl.order_lists import instant, offset_page, page_links
from app.sandbox.mirakl.product_rules import Checked, Fault, check_product
from app.sandbox.mirakl.products import Source, Verdict
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import read_table, write_table

KINDS = frozenset({"transformation_failed", "rows_lost"})
STATUSES = ("CANCELLED", "WAITING", "RUNNING", "SENT", "COMPLETE", "FAILED")
_COUNTED = {
    None: "products_successfully_synchronized",
    "REJECTED": "rejected_products",
    "NOT_ACCEPTED_IN_TIME": "products_not_accepted_in_time",
    "SYNCHRONIZATION_ISSUE": "products_with_synchronization_issues",
}


@dataclass(slots=True)
class Row:
    """One line of the file; `number` counts the header. `refusals` are the operator's, in words."""

    number: int
    cells: tuple[str, ...]
    values: dict[str, str]
    checked: Checked
    source: Source | None = None
    refusals: list[str] = field(default_factory=list)
    is_new: bool = False


@dataclass(slots=True, kw_only=True)
class ProductImport(Import):
    content: bytes
    operator_format: bool
    status: str = "TRANSFORMATION_WAITING"
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    integration: dict[str, int] = field(default_factory=dict)

    @property
    def is_transformed(self) -> bool:
        return self.status in ("SENT", "COMPLETE")

    def good_rows(self) -> list[Row]:
        return [row for row in self.rows if not row.checked.errors]

    def bad_rows(self) -> list[Row]:
        return [row for row in self.rows if row.checked.errors]


class ProductImports:
    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._book = shop.products
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._imports: dict[str, ProductImport] = {}
        self._ids = itertools.count(70_001)
        self._stage_seconds = float(shop.config.get("product_stage_seconds", 1.0))
        # Changed by the admin.
        self.sent_seconds: float | None = shop.config.get("sent_seconds", 60.0)

    async def p41(self, request: Request) -> Json:
        content, texts = await uploaded(request)
        if texts.get("conversion_type", "STANDARD") not in ("STANDARD", "AI_CONVERTER"):
            raise Refused(400, "Error with parameter conversion_type. Please check its type.")
        stored = ProductImport(
            import_id=str(next(self._ids)),
            arrived_at=self._clock.timestamp(),
            effect=EFFECT_ID.get(),
            content=content,
            operator_format=flag(texts, "operator_format"),
        )
        self._imports[stored.import_id] = stored
        self._schedule(stored)
        location = f"/api/products/imports/{stored.import_id}"
        return Json({"import_id": int(stored.import_id)}, 201, {"Location": location})

    def _schedule(self, stored: ProductImport) -> None:
        menu = self._menu
        fails, stuck, ends = (
            menu.take("P41", kind) is not None for kind in ("transformation_failed", "import_stuck", "import_failed")
        )
        lost = menu.take("P41", "rows_lost")
        skus = frozenset(lost.options.get("skus", ())) if lost is not None else frozenset()
        stages: list[Callable[[], None]] = [
            lambda: _enter(stored, "TRANSFORMATION_RUNNING"),
            lambda: self._transform(stored, skus, spoilt_by_menu=fails),
            lambda: _enter(stored, "RUNNING"),
        ]
        if not stuck:
            stages.append(lambda: _fail(stored) if ends else self._send(stored))
        for number, stage in enumerate(stages, 1):
            self._clock.at(stored.arrived_at + number * self._stage_seconds, stage)

    def _transform(self, stored: ProductImport, lost: frozenset[str], *, spoilt_by_menu: bool) -> None:
        try:
            if spoilt_by_menu:
                raise Refused(500, "The transformation ended with an internal error")
            if not stored.operator_format:
                raise Refused(400, "The shop has no mapping of its own: send the operator's format")
            header, *rows = read_table(stored.content, self._delimiter, "utf-8-sig")
            if self._book.catalogue.with_role("CATEGORY").code not in header or len(set(header)) != len(header):
                raise Refused(400, "The header has no column for the category, or one column twice")
        except Refused as refusal:
            stored.status, stored.reason = "TRANSFORMATION_FAILED", refusal.message
            return
        stored.content, stored.columns = b"", tuple(header)
        read = (self._read_row(number, stored.columns, row) for number, row in enumerate(rows, 2) if row)
        stored.rows = [row for row in read if not lost or self._told(row, "SHOP_SKU") not in lost]
        self._find_twins(stored)
        stored.status = "WAITING"

    def _read_row(self, number: int, columns: tuple[str, ...], row: list[str]) -> Row:
        if len(row) != len(columns):
            return Row(number, tuple(row), {}, Checked((Fault("1003", "Wrong number of columns", ""),), ()))
        values = dict(zip(columns, row, strict=True))
        return Row(number, tuple(row), values, self._check(values))

    def _check(self, values: dict[str, str]) -> Checked:
        rules = self._shop.mirrors.feature("catalog")
        separator, leaves = rules["list_of_multiple_values_separator"], rules["product_import_only_on_leaf"]
        return check_product(values, self._book.catalogue, separator, only_leaves=leaves)

    def _find_twins(self, stored: ProductImport) -> None:
        """Of rows with one SKU, one identifier, or one group and the same variant, the first counts."""
        seen: set[tuple[Any, ...]] = set()
        for row in stored.good_rows():
            keys = self._keys(row)
            twin = next((key for key in keys if key in seen), None)
            if twin is not None:
                words = f"{twin[0]} '{twin[1]}' is in the file more than once"
                row.checked = Checked((Fault("1007", words, ""),), row.checked.warnings)
            seen.update(keys)

    def _keys(self, row: Row) -> list[tuple[Any, ...]]:
        catalogue = self._book.catalogue
        category = row.values[catalogue.with_role("CATEGORY").code]
        attributes = catalogue.attributes_of(category)
        variant = tuple(row.values.get(a.code, "") for a in attributes if a.variant)
        group = row.values.get(catalogue.with_role("VARIANT_GROUP_CODE").code, "")
        keys: list[tuple[Any, ...]] = [("Product", self._told(row, "SHOP_SKU"))]
        keys += [(kind, value) for kind, value in self._identifiers(row).items()]
        return [*keys, ("Variant of", group, variant)] if group else keys

    def _identifiers(self, row: Row) -> dict[str, str]:
        unique = (a for a in self._book.catalogue.attributes.values() if a.unique_code and row.values.get(a.code))
        return {str(attribute.unique_code): row.values[attribute.code] for attribute in unique}

    def _told(self, row: Row, role: str) -> str:
        return row.values.get(self._book.catalogue.with_role(role).code, "")

    def _send(self, stored: ProductImport) -> None:
        """To the operator; identifiers that belong to another product of the shop are found out here."""
        if stored.status != "RUNNING":
            return
        for row in stored.good_rows():
            shop_sku, identifiers = self._told(row, "SHOP_SKU"), self._identifiers(row)
            owners = {self._book.owner(kind, value) for kind, value in identifiers.items()} - {None, shop_sku}
            if owners:
                words = "The product identifiers match multiple products from the same provider."
                row.refusals.append(f"MCM-04031|{words}")
                self._count(stored, "products_with_wrong_identifiers")
                continue
            title = self._told(row, "TITLE")
            row.source = self._book.tell(shop_sku, self._told(row, "CATEGORY"), title, identifiers)
            row.source.warnings = row.checked.warnings
            self._shop.kernel.ledger.record(
                "P41", effect=stored.effect, import_id=int(stored.import_id), sku=shop_sku, values=row.values
            )
        stored.status = "SENT"
        if self.sent_seconds is not None:
            self._clock.at(self._clock.timestamp() + self.sent_seconds, lambda: self.decide(stored))

    def decide(self, stored: ProductImport) -> None:
        """The operator's say on all that was sent; nothing happens to an import that is not SENT."""
        if stored.status != "SENT":
            return
        for row in stored.rows:
            if row.source is None:
                continue
            verdict = self._book.decide(row.source)
            if verdict is None:
                row.is_new = self._book.take(row.source)
            else:
                row.refusals.append(_words(verdict))
            self._count(stored, _COUNTED[verdict.kind if verdict else None])
        stored.status = "COMPLETE"
        self._book.notify()

    def decide_all(self) -> int:
        """Every import that is SENT; returns how many there were."""
        sent = [stored for stored in self._imports.values() if stored.status == "SENT"]
        for stored in sent:
            self.decide(stored)
        return len(sent)

    def public(self) -> list[dict[str, Any]]:
        """For the admin: every import, the oldest first, as P42 shows it."""
        return [self._shown(stored) for stored in self._imports.values()]

    def _count(self, stored: ProductImport, name: str) -> None:
        stored.integration[name] = stored.integration.get(name, 0) + 1

    @property
    def _delimiter(self) -> str:
        comma = self._shop.mirrors.configuration["features"]["operator_csv_delimiter"] == "COMMA"
        return "," if comma else ";"

    async def p42(self, request: Request) -> Json:
        stored = self._known(request)
        check_known(self._menu, "P42", stored.import_id)
        return Json(spoilt(self._menu, "P42", self._shown(stored), "import_status"))

    async def p51(self, request: Request) -> Json:
        query = request.query_params
        status, transformed = query.get("status"), query.get("has_transformed_file")
        if status is not None and status not in STATUSES:
            raise Refused(400, "Error with parameter status. Please check its type.")
        since = instant("last_request_date", query["last_request_date"]) if "last_request_date" in query else 0.0
        chosen = [
            stored
            for stored in self._imports.values()
            if stored.arrived_at >= since
            and status in (None, stored.status)
            and transformed in (None, str(stored.is_transformed).lower())
        ]
        if query.get("order") == "desc":
            chosen.reverse()
        size, offset = offset_page(query)
        page = [self._shown(stored) for stored in chosen[offset : offset + size]]
        body = {"product_import_trackings": page, "total_count": len(chosen)}
        return Json(body, 200, page_links(request, len(chosen)))

    async def p44(self, request: Request) -> Response:
        stored = self._known(request)
        refused = [row for row in stored.rows if row.refusals]
        rows = [(*row.cells, ",".join(row.refusals)) for row in refused]
        table = [(*stored.columns, "errors"), *rows] if stored.status == "COMPLETE" and rows else None
        return self._report("P44", table)

    async def p45(self, request: Request) -> Response:
        stored = self._known(request)
        rows = [row.cells for row in stored.rows if row.is_new]
        return self._report("P45", [stored.columns, *rows] if stored.status == "COMPLETE" and rows else None)

    async def p46(self, request: Request) -> Response:
        stored = self._known(request)
        rows = [row.cells for row in stored.good_rows()]
        return self._report("P46", [stored.columns, *rows] if stored.is_transformed else None, "text/csv")

    async def p47(self, request: Request) -> Response:
        stored = self._known(request)
        faulty = [row for row in stored.rows if row.checked.errors or row.checked.warnings]
        rows = [
            (
                str(row.number),
                ",".join(map(str, row.checked.errors)),
                ",".join(map(str, row.checked.warnings)),
                *row.cells,
            )
            for row in faulty
        ]
        header = ("line number", "errors", "warnings", *stored.columns)
        return self._report("P47", [header, *rows] if stored.is_transformed and rows else None)

    def _report(
        self, code: str, table: list[tuple[str, ...]] | None, media_type: str = "application/octet-stream"
    ) -> Response:
        report = None if table is None else write_table(table, self._delimiter)
        return report_response(self._menu, code, report, media_type)

    def _known(self, request: Request) -> ProductImport:
        import_id = request.path_params["import"]
        stored = self._imports.get(import_id)
        if stored is None:
            raise Refused(404, f"No import with id '{import_id}'")
        return stored

    def _shown(self, stored: ProductImport) -> dict[str, Any]:
        complete = stored.status == "COMPLETE"
        warned = sum(bool(row.checked.warnings) for row in stored.rows)
        body = {
            "date_created": iso(stored.arrived_at),
            "has_error_report": complete and any(row.refusals for row in stored.rows),
            "has_new_product_report": complete and any(row.is_new for row in stored.rows),
            "has_transformation_error_report": stored.is_transformed and bool(warned or stored.bad_rows()),
            "has_transformed_file": stored.is_transformed,
            "import_id": int(stored.import_id),
            "import_status": stored.status,
            "shop_id": self._shop.shop_id,
            "transform_lines_in_error": len(stored.bad_rows()),
            "transform_lines_in_success": len(stored.good_rows()),
            "transform_lines_read": len(stored.rows),
            "transform_lines_with_warning": warned,
        }
        if stored.reason:
            body["reason_status"] = stored.reason
        if complete:
            body["integration_details"] = dict.fromkeys(_COUNTED.values(), 0) | stored.integration
        return body


def _enter(stored: ProductImport, status: str) -> None:
    if not stored.status.endswith("FAILED"):
        stored.status = status


def _fail(stored: ProductImport) -> None:
    _enter(stored, "FAILED")
    stored.reason = stored.reason or "The import ended with an internal error"


def _words(verdict: Verdict) -> str:
    (error,) = verdict.errors()
    details = error.get("rejection_details", {})
    told = " ".join(filter(None, (error["message"], details.get("reason_label"), details.get("message"))))
    return f"{error['code']}|{told}"
