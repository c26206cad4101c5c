"""What all file imports of a shop share: how they pass the time, the faults they meet, the upload, the report.

Files of one kind are worked on one after the other: WAITING for a third of `import_seconds`, then RUNNING, then
finished after `import_seconds` and `import_line_seconds` for each line, all in app time from the arrival (or from
the end of the file before). What they do takes effect at that moment, whether anybody asks or not.

Fault kinds, asked for when the file arrives: `import_failed`, `import_stuck`, `accepted_not_applied` (COMPLETE and
clean, nothing changed; `skus` narrows it), `line_error` (`skus`, `message`: these lines fail; a file without them
does not use it up), `repeat_import_id` (answers with an earlier id, stores nothing). When the status is asked for:
`import_unknown`, `new_enum` (`value`, default PAUSED) and, of a finished import, `counts_off` (`lines_in_success`,
`lines_in_error`; default one success too few). When the report is: `report_missing`, `report_garbage`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.faults import Fault, FaultMenu
from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.state import Shop
from app.sandbox.mirakl.tables import write_table

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


class Line(Protocol):
    """One row of a file, numbered as its report will."""

    @property
    def number(self) -> int: ...

    @property
    def sku(self) -> str: ...

    @property
    def cells(self) -> tuple[str, ...]: ...


@dataclass(slots=True, kw_only=True)
class Import:
    """A stored file and how far it is. `feigned` are SKUs whose lines are said to be applied and are not."""

    import_id: str
    arrived_at: float
    effect: str | None
    status: str = "WAITING"
    reason: str = ""
    planned_errors: dict[int, str] = field(default_factory=dict)
    feigned: Callable[[str], bool] = lambda _: False


class ImportQueue:
    """The imports of one kind, one after the other."""

    def __init__(self, shop: Shop) -> None:
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._busy_until = 0.0
        self._import_seconds = float(shop.config.get("import_seconds", 3.0))
        self._line_seconds = float(shop.config.get("import_line_seconds", 0.0))

    def plan_faults(self, code: str, stored: Import, lines: Sequence[Line]) -> None:
        """Takes from the menu what concerns the lines of this file."""
        skus = {line.sku for line in lines}

        def concerns(fault: Fault) -> bool:
            wanted = fault.options.get("skus")
            return wanted is None or not skus.isdisjoint(wanted)

        for fault in self._menu.take_all(code, "line_error", concerns):
            wanted, message = fault.options.get("skus"), str(fault.options.get("message", "Offer is locked"))
            hit = (line for line in lines if wanted is None or line.sku in wanted)
            stored.planned_errors |= {line.number: message for line in hit}
        feigned = self._menu.take(code, "accepted_not_applied", concerns)
        if feigned is not None:
            narrowed = feigned.options.get("skus")
            stored.feigned = lambda sku: narrowed is None or sku in narrowed

    def start(self, code: str, stored: Import, lines: int, complete: Callable[[], None]) -> None:
        """`complete` does the work when its time has come, and sets the status."""
        begins_at = max(stored.arrived_at, self._busy_until) + self._import_seconds / 3
        work_seconds = self._import_seconds * 2 / 3 + self._line_seconds * lines

        def run() -> None:
            stored.status = "RUNNING"

        def fail() -> None:
            stored.status, stored.reason = "FAILED", "The import ended with an internal error"

        self._clock.at(begins_at, run)
        if self._menu.take(code, "import_stuck") is not None:
            return  # for ever, and the next files pass it by
        failed = self._menu.take(code, "import_failed") is not None
        self._busy_until = begins_at + work_seconds
        self._clock.at(self._busy_until, fail if failed else complete)


def check_known(menu: FaultMenu, code: str, import_id: str) -> None:
    """Refused (404) when the menu says so."""
    if menu.take(code, "import_unknown") is not None:
        raise Refused(404, f"No import with id '{import_id}'")


def spoilt(menu: FaultMenu, code: str, body: dict[str, Any], status: str = "status") -> dict[str, Any]:
    """The status as it is told: with the counts and the status of the menu, if it has any."""
    told = dict(body)
    counted = "lines_in_success" in body and body[status] == "COMPLETE"
    off = menu.take(code, "counts_off") if counted else None
    if off is not None:
        told["lines_in_success"] = off.options.get("lines_in_success", max(body["lines_in_success"] - 1, 0))
        told["lines_in_error"] = off.options.get("lines_in_error", body["lines_in_error"])
    odd = menu.take(code, "new_enum")
    if odd is not None:
        told[status] = odd.options.get("value", "PAUSED")
    return told


def report_response(menu: FaultMenu, code: str, report: bytes | None, media_type: str) -> Response:
    """The report's bytes, None when there is none; Refused (404) then, or when the menu says so."""
    if menu.take(code, "report_missing") is not None or report is None:
        raise Refused(404, "There is no error report for this import")
    garbage = menu.take(code, "report_garbage")
    if garbage is not None:
        report = (garbage.body if garbage.body is not None else 'line "7" ;;"\nno, such;"thing\x00').encode()
    return Response(report, media_type=media_type)


async def uploaded(request: Request) -> tuple[bytes, dict[str, str]]:
    """The part `file` of a multipart body, and its other parts as text; Refused (400) when there is no file."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(400, "A multipart/form-data body is expected")
    content: bytes | None = None
    texts: dict[str, str] = {}
    async with request.form(max_files=20, max_fields=20) as form:
        for name, part in form.multi_items():
            raw = await part.read() if isinstance(part, UploadFile) else part.encode()
            if name == "file":
                content = raw
            else:
                texts[name] = raw.decode("utf-8", "replace").strip('"')
    if content is None:
        raise Refused(400, "The part 'file' is missing")
    return content, texts


def flag(texts: dict[str, str], name: str) -> bool:
    """A boolean part, false unless given; Refused (400) for another word."""
    text = texts.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refused(400, f"Error with parameter {name}. Please check its type.")
    return text == "true"


def line_report(columns: tuple[str, ...], errors: Iterable[tuple[Line, str]]) -> bytes:
    """STO03 and PRI03: line number and reason first, then the file's own columns in the file's own order."""
    rows = ((line.number, reason, *line.cells) for line, reason in errors)
    return write_table([("error-line", "error-message", *columns), *rows])
