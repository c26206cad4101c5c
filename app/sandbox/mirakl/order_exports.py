"""Order exports: OR13 takes the order, OR14 tells how far it is, OR15 gives the files.

The orders are those that match at the moment of the request, shown as they are when a file is taken. One export is
PENDING at a time: the same request meanwhile gets the same tracking id, another one is refused. A file holds
`items_per_chunk` orders, or `export_chunk` of the config when that is smaller. Its life, and its fault kinds: see
`export_life`.
"""

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.export_life import Export, Exports
from app.sandbox.mirakl.order_lists import INSTANTS, TAX_MODES, instant, known_states, select, shown
from app.sandbox.mirakl.orders import Order, OrderBook

_SMALLEST_CHUNK, _LARGEST_CHUNK = 10_000, 1_000_000
_SMALLEST_MEGABYTES, _LARGEST_MEGABYTES = 10, 1_024
_MOST_VALUES = 100


@dataclass(slots=True, kw_only=True)
class OrderExport(Export):
    orders: list[Order]
    tax_mode: str | None
    chunk: int

    def files(self) -> int:
        """An export without orders is one empty file."""
        return max(1, -(-len(self.orders) // self.chunk))


class OrderExports:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._exports = Exports[OrderExport](book.shop, "OR13", "OR14", "orders", kept=None)

    async def or13(self, request: Request) -> Json:
        body = await request.body()
        members = _checked(body)
        running = next(iter(self._exports.pending()), None)
        if running is not None and running.request != body:
            raise Refused(400, "An export of orders is running already")
        export = running or self._start(body, members)
        return Json({"tracking_id": export.tracking_id})

    async def or14(self, request: Request) -> Json:
        """Of one that failed it says no more than that."""
        return self._exports.status(request, says_why=False)

    async def or15(self, request: Request) -> Json:
        export, number = self._exports.take(request)
        orders = export.orders[number * export.chunk : (number + 1) * export.chunk]
        return Json({"orders": [shown(self._book, order, export.tax_mode) for order in orders]})

    def _start(self, body: bytes, members: dict[str, Any]) -> OrderExport:
        largest = members.get("items_per_chunk") or _LARGEST_CHUNK
        export = OrderExport(
            request=body,
            updated_at=self._book.shop.kernel.clock.timestamp(),
            orders=select(self._book, _filters(members)),
            tax_mode=members.get("order_tax_mode"),
            chunk=min(largest, self._book.shop.config.get("export_chunk") or largest),
        )
        self._exports.begin(export)
        return export


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
