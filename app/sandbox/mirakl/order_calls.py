"""What the seller does with a new order: OR21, OR29 and OR04.

The ledger gets OR21 when the decision takes effect, OR29 (both by the order book) and OR04 (order_id, reference).
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, OrderRefused, Refused, members_of
from app.sandbox.mirakl.orders import OWN_FULFILMENT, Order, OrderBook

_LARGEST_BATCH = 100
_LONGEST_REFERENCE = 2000


class OrderCalls:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shop = book.shop
        self._clock = book.shop.kernel.clock

    async def or21(self, request: Request) -> Response:
        order = self._named(request)
        accepted = self._accepted_ids(order, await request.body())
        order.decided, order.step = True, order.step + 1
        at, effect = self._clock.timestamp(), EFFECT_ID.get()
        later = at + self._shop.order_rules.state_delay_seconds
        self._book.plan(order, later, lambda due: self._book.decide(due, accepted, "OR21", at, effect))
        return Response(status_code=204)

    async def or29(self, request: Request) -> Response:
        order = self._named(request)
        if not order.can_cancel:
            raise OrderRefused(400, "ORDER_INVALID_STATE", "Order is not in the expected state", "order_id")
        self._book.cancel(order, "OR29")
        return Response(status_code=204)

    async def or04(self, request: Request) -> Json:
        given = members_of(await request.body()).get("orders")
        if not isinstance(given, list) or not 1 <= len(given) <= _LARGEST_BATCH:
            raise Refused(400, f"orders must hold 1 to {_LARGEST_BATCH} elements")
        return Json({"updated_orders": [self._refer(members) for members in given]})

    def _named(self, request: Request) -> Order:
        order = self._book.orders.get(request.path_params["order_id"])
        if order is None:
            raise OrderRefused(404, "ORDER_NOT_FOUND", "There is no such order", "order_id")
        return order

    def _accepted_ids(self, order: Order, body: bytes) -> frozenset[str]:
        """The accepted lines' ids of an OR21 that may be taken."""
        if order.fulfillment != OWN_FULFILMENT:
            raise OrderRefused(400, "ORDER_FULFILLED_UNAUTHORIZED", "The operator fulfils this order", "order_id")
        if order.state != "WAITING_ACCEPTANCE" or order.decided:
            raise OrderRefused(400, "ORDER_INVALID_STATE", "Order is not in the expected state", "order_id")
        decisions = _decisions(members_of(body))
        known = {line.line_id for line in order.lines}
        if not decisions.keys() <= known:
            raise _bad_lines("ORDER_LINE_NOT_FOUND", "Some lines are not of this order")
        if decisions.keys() < known:
            raise _bad_lines(
                "ORDER_LINE_ACCEPTANCE_DECISION_MISSING",
                "Some order lines are missing from the acceptance decision",
            )
        if len(set(decisions.values())) > 1 and not self._shop.order_rules.partial_acceptance:
            raise _bad_lines("ORDER_PARTIAL_ACCEPTANCE_DISABLED", "All lines or none can be accepted")
        return frozenset(line_id for line_id, accepted in decisions.items() if accepted)

    def _refer(self, members: Any) -> dict[str, Any]:
        """One order of OR04, and what the answer says of it."""
        if not isinstance(members, dict) or not isinstance(members.get("order_id"), str):
            raise Refused(400, "Error with field orders. Please check the field datatype.")
        order = self._book.orders.get(members["order_id"])
        references = members.get("references") or {}
        given = references.get("order_reference_for_seller")
        if order is None:
            error = {"code": "ORDER_NOT_FOUND", "field": "order_id", "message": "There is no such order"}
        elif given is not None and not (isinstance(given, str) and 1 <= len(given) <= _LONGEST_REFERENCE):
            place = "references.order_reference_for_seller"
            error = {"code": "VALIDATION_ERROR", "field": place, "message": "1 to 2000 characters are expected"}
        else:
            if "order_reference_for_seller" in references:
                order.reference_for_seller = given
                self._book.touch(order)
                self._shop.kernel.ledger.record("OR04", order_id=order.order_id, reference=given)
            updated = {"references": {"order_reference_for_seller": order.reference_for_seller}}
            return {"order_id": order.order_id, "updated": updated, "errors": []}
        return {"order_id": members["order_id"], "updated": None, "errors": [error]}


def _decisions(members: dict[str, Any]) -> dict[str, bool]:
    """By line id."""
    given, decisions = members.get("order_lines"), dict[str, bool]()
    if not isinstance(given, list):
        raise _bad_lines("VALIDATION_ERROR", "A list is expected")
    for line in given:
        if line is None:
            raise _bad_lines("ORDER_LINE_NULL_ELEMENT", "A line is null")
        if not (isinstance(line, dict) and isinstance(line.get("id"), str) and isinstance(line.get("accepted"), bool)):
            raise _bad_lines("VALIDATION_ERROR", "A line has an id and a boolean `accepted`")
        if line["id"] in decisions:
            raise _bad_lines("ORDER_LINE_DUPLICATE_ID", "A line is there twice")
        decisions[line["id"]] = line["accepted"]
    return decisions


def _bad_lines(code: str, message: str) -> OrderRefused:
    return OrderRefused(400, code, message, "order_lines")
