"""Orders of the shop: how they move by the clock, by the seller (OR21, OR29) or by others, and OR04.

A new order is STAGING if asked, then WAITING_ACCEPTANCE, unless the marketplace or the order itself says that
it accepts by itself. Acceptance leads through the debit to SHIPPING, or there at once in workflows that debit
later. Nothing decided within `acceptance_seconds` of the creation: REFUSED, reason ACCEPTANCE_TIMEOUT. What is
due later is planned for the state of that moment: an order that has moved on since is left alone.

The ledger gets BUY (sku, quantity, left, order_id), OR21 when the decision takes effect (order_id, accepted,
refused), ACCEPTED (the same, somebody else's), LAPSED, CANCELED, OR29 (order_id) and OR04 (order_id,
reference).
"""

import bisect
import functools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.sandbox.journal import EFFECT_ID
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.state import Shop

OWN_FULFILMENT = "DEFAULT"
PAY_ON_ACCEPTANCE = "PAY_ON_ACCEPTANCE"
STATES = (
    *("STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING", "SHIPPED"),
    *("TO_COLLECT", "RECEIVED", "CLOSED", "REFUSED", "CANCELED"),
)
WORKFLOWS = (
    *(PAY_ON_ACCEPTANCE, "PAY_ON_DELIVERY", "PAY_ON_DUE_DATE", "PAY_ON_SHIPMENT"),
    "NO_CUSTOMER_PAYMENT_CONFIRMATION",
)
_SETTLED = frozenset({"REFUSED", "CANCELED", "REFUNDED"})
_RELEASED = frozenset({"SHIPPING", "SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED"})
_CANCELABLE = frozenset({"STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING"})
_DEBITING = frozenset({"WAITING_DEBIT", "WAITING_DEBIT_PAYMENT"})
_LARGEST_BATCH = 100
_LONGEST_REFERENCE = 2000


@dataclass(slots=True)
class Line:
    """Amounts are numbers of the order's currency in its own tax mode; `shipping_price` is the whole line's."""

    line_id: str
    sku: str
    offer_id: int
    product_sku: str
    quantity: int
    price_unit: float
    shipping_price: float
    taxes: list[dict[str, Any]]
    shipping_taxes: list[dict[str, Any]]
    additional_fields: list[dict[str, Any]]
    state: str = "STAGING"
    reason: str | None = None

    @property
    def total(self) -> float:
        return round(self.quantity * self.price_unit + self.shipping_price, 2)


@dataclass(slots=True)
class Order:
    """Instants are app time in Unix seconds. `step` counts the moves; `decided`: OR21 came, its effect did not."""

    order_id: str
    commercial_id: str
    created_at: float
    currency: str
    lines: list[Line]
    customer: dict[str, Any]
    email: str | None
    shipping_address: dict[str, Any] | None
    billing_address: dict[str, Any] | None
    shipping: dict[str, Any]
    tax_mode: str
    workflow: str = PAY_ON_ACCEPTANCE
    fulfillment: str = OWN_FULFILMENT
    automatic: bool = False
    takes_stock: bool = True
    staging_seconds: float = 0.0
    debit_seconds: float | None = 60.0
    debit_refused: bool = False
    address_seconds: float | None = None
    channel: dict[str, str] | None = None
    additional_fields: list[dict[str, Any]] = field(default_factory=list)
    reference_for_customer: str | None = None
    reference_for_seller: str | None = None
    state: str = "STAGING"
    reason: str | None = None
    step: int = 0
    decided: bool = False
    addresses_open: bool = False
    updated_at: float = 0.0
    accepted_at: float | None = None
    debit_asked_at: float | None = None
    debited_at: float | None = None
    released_at: float | None = None

    @property
    def can_cancel(self) -> bool:
        return self.state in _CANCELABLE and self.debited_at is None

    @property
    def total(self) -> float:
        return round(sum(line.total for line in self.lines), 2)


class OrderRefused(Refused):
    """A 400 or 404 with one of the platform's symbolic codes, in the message and in `errors`."""

    def __init__(self, status: int, code: str, message: str, field_name: str) -> None:
        super().__init__(status, f"{code}: {message}")
        self.error = {"code": code, "field": field_name, "message": message}

    def response(self) -> Response:
        body = {"status": self.status, "message": self.message, "errors": [self.error]}
        return JSONResponse(body, status_code=self.status)


def by_creation(order: Order) -> tuple[float, str]:
    return order.created_at, order.order_id


def whole_milliseconds(timestamp: float) -> float:
    """Dates are shown and compared in milliseconds."""
    return math.floor(timestamp * 1000) / 1000


class OrderBook:
    """All orders of the shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.orders: dict[str, Order] = {}
        self._by_creation: list[Order] = []
        self._clock = shop.kernel.clock
        self._ledger = shop.kernel.ledger

    def put(self, orders: Sequence[Order], state: str | None = None) -> None:
        """Buyers' orders arrive; with `state` they are history that stands there. ValueError for a known id."""
        known = [order.order_id for order in orders if order.order_id in self.orders]
        if known or len({order.order_id for order in orders}) < len(orders):
            raise ValueError(f"orders with these ids are there already: {known or 'within the request'}")
        for order in orders:
            self.orders[order.order_id] = order
            bisect.insort(self._by_creation, order, key=by_creation)
            if order.takes_stock:
                self._take_stock(order)
            self._begin(order, state)
            if order.address_seconds is not None:
                opens_at = max(order.created_at + order.address_seconds, self._clock.timestamp())
                self._clock.at(opens_at, functools.partial(self._open_addresses, order))

    def created_between(self, start: float, end: float) -> list[Order]:
        """Both inclusive, by creation and then id."""
        first = bisect.bisect_left(self._by_creation, start, key=lambda order: order.created_at)
        last = bisect.bisect_right(self._by_creation, end, key=lambda order: order.created_at)
        return self._by_creation[first:last]

    def shows_addresses(self, order: Order) -> bool:
        if order.address_seconds is not None:
            return order.addresses_open
        before = self.shop.mirrors.order_workflow("shipping_and_billing_details_before_acceptance")
        return order.addresses_open or bool(before)

    def touch(self, order: Order) -> None:
        order.updated_at = whole_milliseconds(self._clock.timestamp())

    def enter(self, order: Order, state: str, reason: str | None = None) -> None:
        """Moves an order, and those of its lines that are not refused or cancelled, and plans what follows."""
        order.state, order.reason, order.step, order.decided = state, reason, order.step + 1, False
        for line in order.lines:
            if line.state not in _SETTLED:
                line.state, line.reason = state, reason
        self.touch(order)
        now = self._clock.timestamp()
        if state == "WAITING_ACCEPTANCE":
            self._plan(order, order.created_at + self.shop.order_rules.acceptance_seconds, self._lapse)
        elif state == "WAITING_DEBIT":
            order.debit_asked_at = now
            later = now + self.shop.order_rules.state_delay_seconds
            self._plan(order, later, lambda due: self.enter(due, "WAITING_DEBIT_PAYMENT"))
        elif state == "WAITING_DEBIT_PAYMENT":
            self._plan_debit(order, order.debit_asked_at or now)
        elif state in _RELEASED:
            order.released_at = order.released_at or now
            order.addresses_open = order.addresses_open or order.address_seconds is None
            if order.workflow == PAY_ON_ACCEPTANCE:
                order.debited_at = order.debited_at or now

    def decide(self, order: Order, accepted: AbstractSet[str], code: str, at: float, effect: str | None = None) -> None:
        """The decision takes effect: lines not in `accepted` are refused. `at` is when it was taken."""
        refused = [line for line in order.lines if line.line_id not in accepted]
        self._refuse(refused, "REFUSED")
        order.accepted_at = whole_milliseconds(at)
        self._ledger.record(
            code,
            effect=effect,
            order_id=order.order_id,
            accepted=sorted(accepted),
            refused=[line.line_id for line in refused],
        )
        if accepted:
            self._go_on(order)
        else:
            self.enter(order, "REFUSED", "REFUSED")

    def cancel(self, order: Order, code: str = "CANCELED") -> None:
        """By the buyer or the operator, or (code OR29) by the seller."""
        self._ledger.record(code, order_id=order.order_id)
        self.enter(order, "CANCELED")

    def accept_elsewhere(self, order: Order) -> None:
        """Somebody else of the shop accepts all lines, in the back office."""
        if order.state != "WAITING_ACCEPTANCE":
            raise ValueError(f"order {order.order_id} is {order.state}")
        self.decide(order, {line.line_id for line in order.lines}, "ACCEPTED", self._clock.timestamp())

    def refuse_debit(self, order: Order) -> None:
        if order.state not in _DEBITING:
            raise ValueError(f"order {order.order_id} is {order.state}: no debit is under way")
        self.cancel(order)

    async def or21(self, request: Request) -> Response:
        order = self._named(request)
        accepted = self._accepted_ids(order, await request.body())
        order.decided, order.step = True, order.step + 1
        at, effect = self._clock.timestamp(), EFFECT_ID.get()
        later = at + self.shop.order_rules.state_delay_seconds
        self._plan(order, later, lambda due: self.decide(due, accepted, "OR21", at, effect))
        return Response(status_code=204)

    async def or29(self, request: Request) -> Response:
        order = self._named(request)
        if not order.can_cancel:
            raise OrderRefused(400, "ORDER_INVALID_STATE", "Order is not in the expected state", "order_id")
        self.cancel(order, "OR29")
        return Response(status_code=204)

    async def or04(self, request: Request) -> Json:
        given = _members(await request.body()).get("orders")
        if not isinstance(given, list) or not 1 <= len(given) <= _LARGEST_BATCH:
            raise Refused(400, f"orders must hold 1 to {_LARGEST_BATCH} elements")
        return Json({"updated_orders": [self._refer(members) for members in given]})

    def _begin(self, order: Order, state: str | None) -> None:
        if state is not None:
            self.enter(order, state)
            history = order.created_at
            order.accepted_at = None if order.automatic or state in ("STAGING", "WAITING_ACCEPTANCE") else history
            order.debited_at = None if order.debited_at is None else history
        elif order.fulfillment != OWN_FULFILMENT:
            self.enter(order, "SHIPPING")
        elif order.staging_seconds > 0:
            self.enter(order, "STAGING")
            self._plan(order, order.created_at + order.staging_seconds, self._offer)
        else:
            self._offer(order)

    def _offer(self, order: Order) -> None:
        """To the seller; or the marketplace accepts by itself, and then no decision date is ever shown."""
        if order.automatic or self.shop.mirrors.order_workflow("order_acceptance") == "AUTOMATIC":
            self._go_on(order)
        else:
            self.enter(order, "WAITING_ACCEPTANCE")

    def _go_on(self, order: Order) -> None:
        self.enter(order, "WAITING_DEBIT" if order.workflow == PAY_ON_ACCEPTANCE else "SHIPPING")

    def _plan(self, order: Order, at: float, job: Callable[[Order], object]) -> None:
        step = order.step

        def due() -> None:
            if order.step == step:
                job(order)

        self._clock.at(max(at, self._clock.timestamp()), due)

    def _plan_debit(self, order: Order, asked_at: float) -> None:
        self._plan(order, asked_at + self.shop.order_rules.debit_timeout_seconds, self.cancel)
        if order.debit_seconds is not None:
            outcome = self.cancel if order.debit_refused else lambda due: self.enter(due, "SHIPPING")
            self._plan(order, asked_at + order.debit_seconds, outcome)

    def _lapse(self, order: Order) -> None:
        self._refuse(order.lines, "ACCEPTANCE_TIMEOUT")
        self._ledger.record("LAPSED", order_id=order.order_id)
        self.enter(order, "REFUSED", "ACCEPTANCE_TIMEOUT")

    def _refuse(self, lines: Iterable[Line], reason: str) -> None:
        for line in lines:
            line.state, line.reason = "REFUSED", reason
            offer = self.shop.live_offer(line.sku)
            if offer is not None and self.shop.order_rules.zero_on_refusal:
                offer.empty(self._clock.timestamp())

    def _open_addresses(self, order: Order) -> None:
        order.addresses_open = True
        self.touch(order)

    def _take_stock(self, order: Order) -> None:
        for line in order.lines:
            offer = self.shop.live_offer(line.sku)
            if offer is None:
                continue
            offer.take(min(line.quantity, offer.quantity), self._clock.timestamp())
            self._ledger.record(
                "BUY", sku=line.sku, quantity=line.quantity, left=offer.quantity, order_id=order.order_id
            )

    def _named(self, request: Request) -> Order:
        order = self.orders.get(request.path_params["order_id"])
        if order is None:
            raise OrderRefused(404, "ORDER_NOT_FOUND", "There is no such order", "order_id")
        return order

    def _accepted_ids(self, order: Order, body: bytes) -> frozenset[str]:
        """The accepted lines' ids of an OR21 that may be taken."""
        if order.fulfillment != OWN_FULFILMENT:
            raise OrderRefused(400, "ORDER_FULFILLED_UNAUTHORIZED", "The operator fulfils this order", "order_id")
        if order.state != "WAITING_ACCEPTANCE" or order.decided:
            raise OrderRefused(400, "ORDER_INVALID_STATE", "Order is not in the expected state", "order_id")
        decisions = _decisions(_members(body))
        known = {line.line_id for line in order.lines}
        if not decisions.keys() <= known:
            raise _bad_lines("ORDER_LINE_NOT_FOUND", "Some lines are not of this order")
        if decisions.keys() < known:
            raise _bad_lines(
                "ORDER_LINE_ACCEPTANCE_DECISION_MISSING",
                "Some order lines are missing from the acceptance decision",
            )
        if len(set(decisions.values())) > 1 and not self.shop.order_rules.partial_acceptance:
            raise _bad_lines("ORDER_PARTIAL_ACCEPTANCE_DISABLED", "All lines or none can be accepted")
        return frozenset(line_id for line_id, accepted in decisions.items() if accepted)

    def _refer(self, members: Any) -> dict[str, Any]:
        """One order of OR04, and what the answer says of it."""
        if not isinstance(members, dict) or not isinstance(members.get("order_id"), str):
            raise Refused(400, "Error with field orders. Please check the field datatype.")
        order = self.orders.get(members["order_id"])
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
                self.touch(order)
                self._ledger.record("OR04", order_id=order.order_id, reference=given)
            updated = {"references": {"order_reference_for_seller": order.reference_for_seller}}
            return {"order_id": order.order_id, "updated": updated, "errors": []}
        return {"order_id": members["order_id"], "updated": None, "errors": [error]}


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except ValueError as error:
        raise OrderRefused(400, "VALIDATION_ERROR", "The body is not JSON", "") from error
    if not isinstance(members, dict):
        raise OrderRefused(400, "VALIDATION_ERROR", "The body must be an object", "")
    return members


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
