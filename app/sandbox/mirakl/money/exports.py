"""Transaction exports: TL03 takes the order, TL04 tells how far it is, TL05 gives the files.

The filters are those of TL02, in the body. The lines are those that match at the moment of the request, the history's
first, shown as they are when a file is taken; the export is PENDING for `export_seconds` of app time (default 3). The
same request meanwhile gets the same tracking id. A file holds `items_per_chunk` lines, or `export_chunk` of the config
when that is smaller, as one JSON object or (NDJSON) one object on each row. Each TL04 of a finished export gives fresh
addresses on this listener; each works once, with the key, then it is gone (410). The eight newest exports are kept.

Fault kinds as for offer exports: `export_failed` (TL03), `foreign_url` (TL04; the address is the fault's `body`),
`new_enum` (TL04; `value`, default QUEUED).
"""

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.money.history import History
from app.sandbox.mirakl.money.lists import FILTERS, TransactionList, Wanted
from app.sandbox.mirakl.money.rows import Row, shown
from app.sandbox.mirakl.state import Shop

_FORMATS = {"JSON": "application/json", "NDJSON": "application/x-ndjson"}
_LARGEST_CHUNK = 1_000_000
_MOST_VALUES = 100
_ROWS_A_PIECE = 500
_KEPT_EXPORTS = 8
_FOREIGN_URL = "https://files.bucket.example/transactions-1.json"


@dataclass(slots=True)
class Export:
    """`old`: the numbers of the history's lines; `live`: the others."""

    tracking_id: str
    request: bytes
    history: History
    old: Sequence[int]
    live: list[Row]
    format: str
    chunk: int
    updated_at: float
    status: str = "PENDING"

    def files(self) -> int:
        """An export without lines is one empty file."""
        return max(1, -(-(len(self.old) + len(self.live)) // self.chunk))

    def content(self, number: int) -> Iterator[bytes]:
        """One file, piece by piece: a large one is never in memory as a whole."""
        pieces = _pieces(self._rows(number * self.chunk))
        if self.format == "NDJSON":
            return ("".join(f"{row}\n" for row in piece).encode() for piece in pieces)
        return _as_json(pieces)

    def _rows(self, first: int) -> Iterator[Row]:
        old = self.old[first : first + self.chunk]
        start = max(first - len(self.old), 0)
        return itertools.chain(map(self.history.row, old), self.live[start : start + self.chunk - len(old)])


class TransactionExports:
    def __init__(self, shop: Shop, lines: TransactionList) -> None:
        self._lines = lines
        self._menu = shop.kernel.menu
        self._clock = shop.kernel.clock
        self._exports: dict[str, Export] = {}
        self._addresses: dict[str, tuple[Export, int]] = {}
        self._spent: set[str] = set()
        self._export_seconds = float(shop.config.get("export_seconds", 3.0))
        self._chunk = int(shop.config.get("export_chunk") or _LARGEST_CHUNK)

    async def tl03(self, request: Request) -> Json:
        body = await request.body()
        for export in self._exports.values():
            if export.status == "PENDING" and export.request == body:
                return Json({"tracking_id": export.tracking_id})
        export = self._start(body)
        self._exports[export.tracking_id] = export
        if len(self._exports) > _KEPT_EXPORTS:
            gone = self._exports.pop(next(iter(self._exports)))
            self._addresses = {token: place for token, place in self._addresses.items() if place[0] is not gone}
        outcome = "COMPLETED" if self._menu.take("TL03", "export_failed") is None else "FAILED"

        def finish() -> None:
            export.status, export.updated_at = outcome, self._clock.timestamp()

        self._clock.at(self._clock.timestamp() + self._export_seconds, finish)
        return Json({"tracking_id": export.tracking_id})

    async def tl04(self, request: Request) -> Json:
        export = self._exports.get(request.path_params["tracking_id"])
        if export is None:
            raise Refused(404, "No export with this tracking id")
        body: dict[str, Any] = {"status": export.status, "last_updated": iso(export.updated_at)}
        odd = self._menu.take("TL04", "new_enum")
        if odd is not None:
            return Json({**body, "status": odd.options.get("value", "QUEUED")})
        if export.status == "FAILED":
            body["error"] = {"code": "INTERNAL_ERROR", "detail": "The export could not be written"}
        elif export.status == "COMPLETED":
            foreign = self._menu.take("TL04", "foreign_url")
            own = [self._address(request, export, number) for number in range(export.files())]
            body["urls"] = own if foreign is None else [foreign.body or _FOREIGN_URL] * len(own)
        return Json(body)

    async def tl05(self, request: Request) -> Response:
        token = request.path_params["token"]
        if token in self._spent:
            raise Refused(410, "This file was already taken; ask for the status of the export again")
        found = self._addresses.pop(token, None)
        if found is None:
            raise Refused(404, "No such file")
        self._spent.add(token)
        export, number = found
        return StreamingResponse(_one_by_one(export.content(number)), media_type=_FORMATS[export.format])

    def _start(self, body: bytes) -> Export:
        members = _checked(body)
        wanted = Wanted({name: _values(name, members.get(name)) for name in FILTERS})
        history, chunk = self._lines.history, min(members.get("items_per_chunk") or _LARGEST_CHUNK, self._chunk)
        live, old = list(self._lines.live(wanted)), wanted.numbers(history)
        format_ = members.get("format") or "JSON"
        return Export(str(uuid.uuid4()), body, history, old, live, format_, chunk, self._clock.timestamp())

    def _address(self, request: Request, export: Export, number: int) -> str:
        token = uuid.uuid4().hex
        self._addresses[token] = (export, number)
        return f"{str(request.base_url).rstrip('/')}/exports/transactions/{token}"


def _checked(body: bytes) -> dict[str, Any]:
    """The body's members; Refused (400) for one that the platform would not take, or the stand-in does not know."""
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, "The body is not JSON") from error
    if not isinstance(members, dict):
        raise Refused(400, "The body must be an object")
    unknown = members.keys() - FILTERS - {"format", "items_per_chunk", "megabytes_per_chunk", "shop_id"}
    if unknown:
        raise Refused(400, f"Not known here: {', '.join(sorted(unknown))}")
    if (members.get("format") or "JSON") not in _FORMATS:
        raise Refused(400, f"format is one of {', '.join(_FORMATS)}")
    for name in ("items_per_chunk", "megabytes_per_chunk"):
        size = members.get(name)
        if size is not None and (not isinstance(size, int) or size < 1):
            raise Refused(400, f"{name} must be at least 1")
    return members


def _values(name: str, given: Any) -> list[str]:
    """One value or a list of them."""
    values = [] if given is None else given if isinstance(given, list) else [given]
    if len(values) > _MOST_VALUES or not all(isinstance(value, str) for value in values):
        raise Refused(400, f"Error with field {name}. Please check the field datatype.")
    return values


def _pieces(rows: Iterator[Row]) -> Iterator[list[str]]:
    while piece := [json.dumps(shown(row)) for row in itertools.islice(rows, _ROWS_A_PIECE)]:
        yield piece


def _as_json(pieces: Iterator[list[str]]) -> Iterator[bytes]:
    yield b'{"data":['
    comma = ""
    for piece in pieces:
        yield (comma + ",".join(piece)).encode()
        comma = ","
    yield b"]}"


async def _one_by_one(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lets other calls in between two pieces."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
