"""Orders at Mirakl: listing, exporting, deciding, referencing and cancelling them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Unpack

import msgspec

from app.mirakl import schema
from app.mirakl.calls import Sending, ShopCalls, charges_of, done, instant
from app.mirakl.order_schema import Order, OrderPage, OrderQuery, RawOrder
from app.wire.decode import Items, decoded, read_items
from app.wire.outcome import Applied, Outcome, Refused, Unknown
from app.wire.permit import Permit
from app.wire.request import Expected, WireRequest
from app.wire.target import path_part

REFERENCES_LIMIT = 100
"""The most orders of one OR04."""
_CODE = re.compile(r"\b(?:ORDER_[A-Z_]+|VALIDATION_ERROR)\b")


class _Listed(msgspec.Struct):
    orders: list[msgspec.Raw]
    total_count: int


class _Exported(msgspec.Struct):
    orders: list[msgspec.Raw]


class _ReferenceError(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None


class _Updated(msgspec.Struct):
    order_id: str | None = None
    errors: list[_ReferenceError] | None = None


class _UpdatedOrders(msgspec.Struct):
    updated_orders: list[_Updated] | None = None


class OrderCalls(ShopCalls):
    """The order calls of a shop."""

    async def or11_list_orders(
        self, query: OrderQuery, *, opens: bool = True, permit: Permit | None = None
    ) -> Outcome[OrderPage]:
        """One page of orders by creation. `opens`: the first page of a window, which may be opened once a minute.

        Repeats are to be expected: the platform widens the window backwards.
        """
        code = "OR11.read" if query.order_ids else "OR11.pass" if opens else "OR11.page"
        request = WireRequest("OR11", "GET", "/api/orders", query=_listing(query))
        answer = await self._send(request, permit=permit, charges=charges_of(code))

        def shape(body: _Listed) -> Outcome[OrderPage]:
            has_next = query.offset + len(body.orders) < body.total_count
            if has_next and not body.orders:
                return Unknown(f"an empty page at {query.offset} of {body.total_count} orders")
            return Applied(OrderPage(_read(body.orders), body.total_count, has_next))

        return decoded(answer, _Listed, shape)

    async def or13_export_orders(
        self,
        start: datetime,
        end: datetime,
        *,
        by_creation: bool = False,
        states: Sequence[str] = (),
        permit: Permit | None = None,
    ) -> Outcome[str]:
        """Ask for the orders updated (each five minutes) or created (daily) in a window; the value is a tracking id."""
        window = ("start_date", "end_date") if by_creation else ("start_update_date", "end_update_date")
        body: dict[str, object] = dict(zip(window, (instant(start), instant(end)), strict=True))
        if states:
            body["order_state_codes"] = list(states)
        charged_as = "OR13.full" if by_creation else "OR13"
        return await self._asked_export("OR13", "/api/orders/async-export", body, permit, charged_as)

    async def or14_get_export(self, tracking_id: str, *, permit: Permit | None = None) -> Outcome[schema.ExportStatus]:
        return await self._polled_export("OR14", "/api/orders/async-export/status/", tracking_id, permit)

    async def or15_download_orders(self, url: str, *, permit: Permit | None = None) -> Outcome[Items[RawOrder]]:
        """One file of an export."""
        answer = await self._downloaded("OR15", url, permit)
        return decoded(answer, _Exported, lambda body: Applied(_read(body.orders)))

    async def or21_accept_order(
        self,
        order_id: str,
        decisions: Mapping[str, bool],
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Accept or refuse every line of an order, by line id. The state moves later; see `refusal_code`."""
        lines = [{"id": line_id, "accepted": accepted} for line_id, accepted in decisions.items()]
        path, body = f"/api/orders/{path_part(order_id)}/accept", {"order_lines": lines}
        return done(await self._write("OR21", "PUT", path, body, expects=Expected.NOTHING, **sending))

    async def or04_update_references(
        self,
        references: Mapping[str, str],
        **sending: Unpack[Sending],
    ) -> Outcome[dict[str, str | None]]:
        """Write our reference into up to 100 orders; the value says for each why it was not written, or None."""
        if not 0 < len(references) <= REFERENCES_LIMIT:
            raise ValueError(f"between 1 and {REFERENCES_LIMIT} references, not {len(references)}")
        orders = [
            {"order_id": order_id, "references": {"order_reference_for_seller": reference}}
            for order_id, reference in references.items()
        ]
        answer = await self._write("OR04", "PUT", "/api/orders", {"orders": orders}, **sending)

        def shape(body: _UpdatedOrders) -> Outcome[dict[str, str | None]]:
            told = {row.order_id: _words(row.errors or ()) for row in body.updated_orders or ()}
            return Applied({order_id: told.get(order_id, "not in Mirakl's answer") for order_id in references})

        return decoded(answer, _UpdatedOrders, shape)

    async def or29_cancel_order(
        self,
        order_id: str,
        **sending: Unpack[Sending],
    ) -> Outcome[None]:
        """Cancel a whole order, as long as it `can_cancel`."""
        path = f"/api/orders/{path_part(order_id)}/cancel"
        return done(await self._write("OR29", "PUT", path, None, expects=Expected.NOTHING, **sending))


def refusal_code(refused: Refused) -> str | None:
    """The platform's word for a refusal (ORDER_INVALID_STATE, …), wherever its undocumented envelope has it."""
    told = (*(error.code for error in refused.errors), refused.reason, *(error.message for error in refused.errors))
    return next((found.group() for text in told if (found := _CODE.search(text))), None)


def _listing(query: OrderQuery) -> tuple[tuple[str, str], ...]:
    told = {
        "order_ids": ",".join(query.order_ids),
        "order_state_codes": ",".join(query.states),
        "start_update_date": instant(query.start_update) if query.start_update else "",
        "end_update_date": instant(query.end_update) if query.end_update else "",
        "sort": "dateCreated",
        "order": "asc",
        "max": str(query.max),
        "offset": str(query.offset),
    }
    return tuple((name, value) for name, value in told.items() if value)


def _read(rows: Sequence[msgspec.Raw]) -> Items[RawOrder]:
    read = read_items(rows, Order, "order_id")
    orders = tuple(RawOrder(order, bytes(rows[place])) for order, place in zip(read.items, read.places, strict=True))
    return Items(orders, read.unreadable, read.places)


def _words(errors: Sequence[_ReferenceError]) -> str | None:
    return "; ".join(error.message or str(error.code or "no message") for error in errors)[:500] or None
