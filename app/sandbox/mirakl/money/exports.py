"""Transaction exports: TL03 takes the order, TL04 tells how far it is, TL05 gives the files.

The filters are those of TL02, in the body. The lines are those that match at the moment of the request, the history's
first, shown as they are when a file is taken. The same request while its export is PENDING gets the same tracking id. A
file holds `items_per_chunk` lines, or `export_chunk` of the config when that is smaller, as one JSON object or (NDJSON)
one object on each row. Its life, and its fault kinds: see `export_life`.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.export_life import Export, Exports, one_by_one
from app.sandbox.mirakl.money.history import History
from app.sandbox.mirakl.money.lists import FILTERS, TransactionList, Wanted
from app.sandbox.mirakl.money.rows import Row, shown
from app.sandbox.mirakl.state import Shop

_FORMATS = {"JSON": "application/json", "NDJSON": "application/x-ndjson"}
_LARGEST_CHUNK = 1_000_000
_MOST_VALUES = 100
_ROWS_A_PIECE = 500


@dataclass(slots=True, kw_only=True)
class TransactionExport(Export):
    """`old`: the numbers of the history's lines; `live`: the others."""

    history: History
    old: Sequence[int]
    live: list[Row]
    format: str
    chunk: int

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
        self._clock = shop.kernel.clock
        self._exports = Exports[TransactionExport](shop, "TL03", "TL04", "transactions")
        self._chunk = int(shop.config.get("export_chunk") or _LARGEST_CHUNK)

    async def tl03(self, request: Request) -> Json:
        body = await request.body()
        for export in self._exports.pending():
            if export.request == body:
                return Json({"tracking_id": export.tracking_id})
        export = self._ordered(body)
        self._exports.begin(export)
        return Json({"tracking_id": export.tracking_id})

    async def tl04(self, request: Request) -> Json:
        return self._exports.status(request)

    async def tl05(self, request: Request) -> Response:
        export, number = self._exports.take(request)
        return StreamingResponse(one_by_one(export.content(number)), media_type=_FORMATS[export.format])

    def _ordered(self, body: bytes) -> TransactionExport:
        members = _checked(body)
        wanted, history = Wanted({name: _values(name, members.get(name)) for name in FILTERS}), self._lines.history
        return TransactionExport(
            request=body,
            updated_at=self._clock.timestamp(),
            history=history,
            old=wanted.numbers(history),
            live=list(self._lines.live(wanted)),
            format=members.get("format") or "JSON",
            chunk=min(members.get("items_per_chunk") or _LARGEST_CHUNK, self._chunk),
        )


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
