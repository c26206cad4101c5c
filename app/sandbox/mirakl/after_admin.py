"""The /_sandbox routes for what happens after the sale. Amounts are in the order's own tax mode.

POST /_sandbox/returns {"order_id", "lines": [{"order_line_id" | "sku", "quantity" 1}], "accepted" false,
    "reason_code", "method_code", "description"} -> {"id"}; a buyer opens it
POST /_sandbox/returns {"id", "state"} -> {"id"}; the buyer or the system moves it
GET  /_sandbox/returns -> {"returns": {id: {"order_id", "state", "lines": {line id: units}}}}
POST /_sandbox/refunds {"order_id", "lines": [{"order_line_id" | "sku", "quantity"}], "reason_code" "14",
    "excluded_from_shipment" false} or {"refunds": [as OR28], "order_tax_mode"?} -> {"refunds": [ids]}; the
    operator makes them, whatever the balance is
POST /_sandbox/refunds {"settle": [ids] | "all"} -> {"settled": [ids]}
POST /_sandbox/cancelations {"order_id", "lines": [as above], "reason_code" "34"} -> {"cancelations": [ids]}; by the
    buyer or the operator; the whole order: POST /_sandbox/orders/change
POST /_sandbox/balance {"pending", "payable": amount | null for enough} -> the same
POST /_sandbox/incidents {"order_line_id", "reason_code" "2"} opens one; with "close": true the buyer ends it
POST /_sandbox/threads {"order_id", "body", "topic", "ago_seconds" 0, "id"?} -> {"id"}; a buyer writes
POST /_sandbox/threads {"id", "answered": true} -> {"id"}; somebody of the shop answers
POST /_sandbox/document-requests {"order_id", "type" INVOICE} -> {"id"}
GET  /_sandbox/after[?order_id=] -> {"lines": {line id: {"order_id", "order_state", "sku", "state", "quantity",
    "shipped", "to_ship", "allotted", "excluded", "cancelled", "return_expected", "returned", "refunded" (units),
    "price", "shipping_price" and, for "refunded_" and "cancelled_": "amount", "shipping_amount", "taxes" (of goods
    and shipping), "total" (with taxes and fees); "refunds" and "cancelations" one by one, as in OR11}},
    "shipments": [as ST11 shows them]}
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import Endpoint, json_object, refusing_nonsense
from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.documents import Documents
from app.sandbox.mirakl.given_back import Entry, Reader
from app.sandbox.mirakl.inbox import Inbox
from app.sandbox.mirakl.lines import Cancelation, Line, cents, shown_cancelation, shown_refund
from app.sandbox.mirakl.orders import Order, OrderBook
from app.sandbox.mirakl.refunds import Refunds
from app.sandbox.mirakl.returns import Returns
from app.sandbox.mirakl.shipment_lists import ShipmentLists
from app.sandbox.mirakl.shipments import Shipments, shown
from app.sandbox.mirakl.tracking import Tracking

_RETURN_ENDED_BEFORE = ("REFUSED", "NO_RECEPTION", "CANCELED")


class AfterSale:
    """All that a shop's orders can meet once they are sold."""

    def __init__(self, book: OrderBook) -> None:
        self.book = book
        self.tracking = Tracking(book)
        self.shipments = Shipments(book)
        self.shipment_lists = ShipmentLists(book, self.shipments)
        self.refunds = Refunds(book)
        self.returns = Returns(book)
        self.inbox = Inbox(book)
        self.documents = Documents(book)

    def order(self, members: dict[str, Any]) -> Order:
        return self.book.orders[str(members["order_id"])]


def after_admin_routes(after: AfterSale) -> list[Route]:
    posts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "returns": lambda members: _post_return(after, members),
        "refunds": lambda members: _post_refunds(after, members),
        "cancelations": lambda members: _post_cancelations(after, members),
        "balance": lambda members: _post_balance(after, members),
        "incidents": lambda members: _post_incident(after, members),
        "threads": lambda members: _post_thread(after, members),
        "document-requests": lambda members: {
            "id": after.documents.ask(after.order(members), str(members.get("type", "INVOICE"))).request_id
        },
    }

    def posted(post: Callable[[dict[str, Any]], dict[str, Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(post(await json_object(request)))
            except Refused as refusal:
                raise ValueError(refusal.message) from refusal

        return refusing_nonsense(endpoint)

    async def at_returns(_: Request) -> Response:
        return JSONResponse({"returns": _public_returns(after.returns)})

    async def at_after(request: Request) -> Response:
        wanted = request.query_params.get("order_id")
        orders = [order for order in after.book.orders.values() if wanted in (None, order.order_id)]
        lines = {line.line_id: _public_line(after.returns, order, line) for order in orders for line in order.lines}
        parcels = after.shipments.all.values()
        shown_parcels = [shown(parcel) for parcel in parcels if wanted in (None, parcel.order.order_id)]
        return JSONResponse({"lines": lines, "shipments": shown_parcels})

    return [
        *(Route(f"/_sandbox/{name}", posted(post), methods=["POST"]) for name, post in posts.items()),
        Route("/_sandbox/returns", at_returns, methods=["GET"]),
        Route("/_sandbox/after", at_after, methods=["GET"]),
    ]


def _post_return(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    if "id" in members:
        known = after.returns.all[str(members["id"])]
        after.returns.move(known, str(members["state"]))
    else:
        order = after.order(members)
        units = {line.line_id: quantity for line, quantity in _units(order, members["lines"])}
        known = after.returns.open(order, units, members)
    return {"id": known.return_id}


def _post_refunds(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    if "settle" in members:
        return {"settled": _settle(after, members["settle"])}
    if "refunds" in members:
        entries = Reader(after.book, "REFUND").read(json.dumps(members).encode(), "refunds")
    else:
        not_shipped = bool(members.get("excluded_from_shipment"))
        entries = list(_entries(after.order(members), members, "14", not_shipped=not_shipped))
    return {"refunds": [refund.id for refund in after.refunds.refund(entries, "REFUND")]}


def _settle(after: AfterSale, wanted: list[str] | str) -> list[str]:
    waiting = [
        (order, line, refund)
        for order, line in after.book.lines.values()
        for refund in line.refunds
        if refund.state != "REFUNDED" and (wanted == "all" or refund.id in wanted)
    ]
    for order, line, refund in waiting:
        after.refunds.settle(order, line, refund)
    return [refund.id for _, _, refund in waiting]


def _post_cancelations(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    order = after.order(members)
    if not order.state.startswith("WAITING") and order.state != "SHIPPING":
        raise ValueError(f"order {order.order_id} is {order.state}")
    entries = list(_entries(order, members, "34", not_shipped=True))
    return {"cancelations": [made.id for made in after.refunds.cancel(entries, "CANCELED")]}


def _entries(order: Order, members: dict[str, Any], reason: str, *, not_shipped: bool) -> Iterable[Entry]:
    """Units with what they cost, as their share in the line's units that are left."""
    for line, quantity in _units(order, members["lines"]):
        left = line.quantity - line.cancelled - sum(refund.quantity for refund in line.refunds)
        if not 0 < quantity <= left or (not_shipped and quantity > line.to_ship):
            raise ValueError(f"{quantity} units of {line.line_id}: {left} are left, {line.to_ship} of them to ship")
        money = line.rest.part(quantity, left)
        yield Entry(order, line, money, quantity, str(members.get("reason_code", reason)), not_shipped)


def _units(order: Order, given: Any) -> Iterable[tuple[Line, int]]:
    if not isinstance(given, list) or not all(isinstance(members, dict) for members in given):
        raise ValueError("lines is a list of objects")
    for members in given:
        named = members.get("order_line_id")
        by_sku = (line for line in order.lines if line.sku == members.get("sku"))
        line = order.line(str(named)) if named is not None else next(by_sku, None)
        if line is None:
            raise ValueError(f"order {order.order_id} has no line of {members.get('sku')}")
        yield line, int(members.get("quantity", 1))


def _post_balance(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    balances = after.book.shop.balances
    for name, amount in members.items():
        if name not in balances:
            raise ValueError(f"the balances are {', '.join(balances)}")
        balances[name] = None if amount is None else cents(amount)
    return {name: None if amount is None else amount / 100 for name, amount in balances.items()}


def _post_incident(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    order, line = after.book.lines[str(members["order_line_id"])]
    if members.get("close"):
        line.incident = None
        after.book.touch(order)
    else:
        after.inbox.open_incident(order, line, str(members.get("reason_code", "2")))
    return {"order_line_id": line.line_id, "incident": line.incident}


def _post_thread(after: AfterSale, members: dict[str, Any]) -> dict[str, Any]:
    if members.get("answered"):
        thread = after.inbox.threads[str(members["id"])]
        after.inbox.answer(thread)
    else:
        thread = after.inbox.write(after.order(members), members)
    return {"id": thread.thread_id}


def _public_returns(returns: Returns) -> dict[str, Any]:
    return {
        known.return_id: {
            "order_id": known.order.order_id,
            "state": known.state,
            "lines": {line.line_id: line.quantity for line in known.lines},
        }
        for known in returns.all.values()
    }


def _public_line(returns: Returns, order: Order, line: Line) -> dict[str, Any]:
    back = [
        (known, returned.quantity)
        for known in returns.all.values()
        for returned in known.lines
        if known.order is order and returned.line_id == line.line_id
    ]
    ended = ("CLOSED", "RECEIVED", *_RETURN_ENDED_BEFORE)
    return {
        "order_id": order.order_id,
        "order_state": order.state,
        "sku": line.sku,
        "state": "INCIDENT_OPEN" if line.incident else line.state,
        "quantity": line.quantity,
        "shipped": line.shipped,
        "to_ship": line.to_ship,
        "allotted": line.allotted,
        "excluded": line.excluded,
        "cancelled": line.cancelled,
        "return_expected": sum(units for known, units in back if known.state not in ended),
        "returned": sum(units for known, units in back if known.arrived),
        "refunded": sum(refund.quantity for refund in line.refunds),
        "price": line.cost.amount(included=line.tax_included) / 100,
        "shipping_price": line.cost.shipping_amount(included=line.tax_included) / 100,
        **_public_money("refunded", line, line.refunds),
        **_public_money("cancelled", line, line.cancelations),
        "refunds": [shown_refund(line, refund, included=line.tax_included) for refund in line.refunds],
        "cancelations": [shown_cancelation(line, one, included=line.tax_included) for one in line.cancelations],
    }


def _public_money(verb: str, line: Line, given: Iterable[Cancelation]) -> dict[str, float]:
    moneys = [one.money for one in given]
    included = line.tax_included
    return {
        f"{verb}_amount": sum(money.amount(included=included) for money in moneys) / 100,
        f"{verb}_shipping_amount": sum(money.shipping_amount(included=included) for money in moneys) / 100,
        f"{verb}_taxes": sum(sum(money.taxes) + sum(money.shipping_taxes) for money in moneys) / 100,
        f"{verb}_total": sum(money.total for money in moneys) / 100,
    }
