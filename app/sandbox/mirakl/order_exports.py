"""Order exports: OR13 takes the order, OR14 tells how far it is, OR15 gives the files.

The orders are those that match at the moment of the request, shown as they are when a file is taken. The
export is PENDING for `export_seconds` of app time (default 3), one at a time: the same request meanwhile gets
the same tracking id, another one is refused. A file holds `items_per_chunk` orders, or `export_chunk` of the
config when that is smaller. Each OR14 of a finished export gives fresh addresses on this listener; each works
once, with the key, then it is gone (410).

Fault kinds as for offer exports: `export_failed` (OR13), `foreign_url` (OR14; the address is the fault's
`body`), `new_enum` (OR14; `value`, default QUEUED).
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.order_lists import INSTANTS, TAX_MODES, instant, known_states, select, shown
from app.sandbox.mirakl.orders import Order, OrderBook

_SMALLEST_CHUNK, _LARGEST_CHUNK = 10_000, 1_000_000
_SMALLEST_MEGABYTES, _LARGEST_MEGABYTES = 10, 1_024
_MOST_VALUES = 100
_FOREIGN_URL = "https://files.bucket.example/orders-1.json"


@dataclass(slots=True)
class Export:
    tracking_id: str
    request: bytes
    orders: list[Order]
    tax_mode: str | None
    chunk: int
    updated_at: float
    status: str = "PENDING"

    def files(self) -> int:
        """An export without orders is one empty file."""
        return max(1, -(-len(self.orders) // self.chunk))


class OrderExports:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._menu = book.shop.kernel.menu
        self._clock = book.shop.kernel.clock
        self._exports: dict[str, Export] = {}
        self._addresses: dict[str, tuple[Export, int]] = {}
        self._spent: set[str] = set()
        self._export_seconds = float(book.shop.config.get("export_seconds", 3.0))

    async def or13(self, request: Request) -> Json:
        body = await request.body()
        members = _checked(body)
        running = next((export for export in self._exports.values() if export.status == "PENDING"), None)
        if running is not None and running.request != body:
            raise Refused(400, "An export of orders is running already")
        export = running or self._start(body, members)
        return Json({"tracking_id": export.tracking_id})

    async def or14(self, request: Request) -> Json:
        export = self._exports.get(request.path_params["tracking_id"])
        if export is None:
            raise Refused(404, "No export with this tracking id")
        body: dict[str, Any] = {"status": export.status, "last_updated": iso(export.updated_at)}
        odd = self._menu.take("OR14", "new_enum")
        if odd is not None:
            return Json({**body, "status": odd.options.get("value", "QUEUED")})
        if export.status == "COMPLETED":
            foreign = self._menu.take("OR14", "foreign_url")
            own = [self._address(request, export, number) for number in range(export.files())]
            body["urls"] = own if foreign is None else [foreign.body or _FOREIGN_URL] * len(own)
        return Json(body)

    async def or15(self, request: Request) -> Json:
        token = request.path_params["token"]
        if token in self._spent:
            raise Refused(410, "This file was already taken; ask for the status of the export again")
        found = self._addresses.pop(token, None)
        if found is None:
            raise Refused(404, "No such file")
        self._spent.add(token)
        export, number = found
        orders = export.orders[number * export.chunk : (number + 1) * export.chunk]
        return Json({"orders": [shown(self._book, order, export.tax_mode) for order in orders]})

    def _start(self, body: bytes, members: dict[str, Any]) -> Export:
        at = self._clock.timestamp()
        largest = members.get("items_per_chunk") or _LARGEST_CHUNK
        chunk = min(largest, self._book.shop.config.get("export_chunk") or largest)
        orders = select(self._book, _filters(members))
        export = Export(str(uuid.uuid4()), body, orders, members.get("order_tax_mode"), chunk, at)
        self._exports[export.tracking_id] = export
        outcome = "COMPLETED" if self._menu.take("OR13", "export_failed") is None else "FAILED"

        def finish() -> None:
            export.status, export.updated_at = outcome, self._clock.timestamp()

        self._clock.at(at + self._export_seconds, finish)
        return export

    def _address(self, request: Request, export: Export, number: int) -> str:
        token = uuid.uuid4().hex
        self._addresses[token] = (export, number)
        return f"{str(request.base_url).rstrip('/')}/exports/orders/{token}"


def _checked(body: bytes) -> dict[str, Any]:
    """The body's members; Refused (400) for one that the platform would not take."""
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, "The body is not JSON") from error
    if not isinstance(members, dict):
        raise Refused(400, "The body must be an object")
    windows = [
        (bool(members.get(f"start_{kind}")), bool(members.get(f"end_{kind}"))) for kind in ("date", "update_date")
    ]
    if not any(map(any, windows)) or any(start != end for start, end in windows):
        raise Refused(400, "A window of creation or of update is needed, each with its start and its end")
    for name in ("order_state_codes", "channel_codes"):
        given = members.get(name) or []
        if not isinstance(given, list) or len(given) > _MOST_VALUES:
            raise Refused(400, f"{name} is a list of at most {_MOST_VALUES}")
    if members.get("order_tax_mode") not in (None, *TAX_MODES):
        raise Refused(400, "order_tax_mode is TAX_INCLUDED or TAX_EXCLUDED")
    _check_bounds(members, "items_per_chunk", _SMALLEST_CHUNK, _LARGEST_CHUNK)
    _check_bounds(members, "megabytes_per_chunk", _SMALLEST_MEGABYTES, _LARGEST_MEGABYTES)
    return members


def _check_bounds(members: dict[str, Any], name: str, least: int, most: int) -> None:
    value = members.get(name)
    if value is not None and (not isinstance(value, int) or not least <= value <= most):
        raise Refused(400, f"{name} must be between {least} and {most}")


def _filters(members: dict[str, Any]) -> dict[str, Any]:
    filters: dict[str, Any] = {name: instant(name, members[name]) for name in INSTANTS if members.get(name)}
    if members.get("order_state_codes"):
        filters["order_state_codes"] = known_states(members["order_state_codes"])
    if members.get("channel_codes"):
        filters["channel_codes"] = members["channel_codes"]
    if members.get("fulfillment_center_codes"):
        filters["fulfillment_center_code"] = members["fulfillment_center_codes"].split(",")
    return {**filters, "only_null_channel": bool(members.get("only_null_channel"))}
