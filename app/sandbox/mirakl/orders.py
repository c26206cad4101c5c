"""Orders of the shop: how they move by the clock, by the seller or by others.

A new order is STAGING if asked, then WAITING_ACCEPTANCE, unless the marketplace or the order itself says that
it accepts by itself. Acceptance leads through the debit to SHIPPING, or there at once in workflows that debit
later. Nothing decided within `acceptance_seconds` of the creation: REFUSED, reason ACCEPTANCE_TIMEOUT. An order
is SHIPPED once nothing of it is left to ship, then RECEIVED and CLOSED by the clock. What is due later is planned
for the state of that moment: an order that has moved on since is left alone.

The ledger gets BUY (sku, quantity, left, order_id), OR21 when the decision takes effect (order_id, accepted,
refused), ACCEPTED (the same, somebody else's), LAPSED, CANCELED and OR29 (order_id).
"""

import bisect
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.mirakl.lines import Cancelation, Line
from app.sandbox.mirakl.state import Shop

OWN_FULFILMENT = "DEFAULT"
PAY_ON_ACCEPTANCE = "PAY_ON_ACCEPTANCE"
PAY_ON_SHIPMENT = "PAY_ON_SHIPMENT"
TAX_INCLUDED = "TAX_INCLUDED"
STATES = (
    *("STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING", "SHIPPED"),
    *("TO_COLLECT", "RECEIVED", "CLOSED", "REFUSED", "CANCELED"),
)
WORKFLOWS = (
    *(PAY_ON_ACCEPTANCE, "PAY_ON_DELIVERY", "PAY_ON_DUE_DATE", PAY_ON_SHIPMENT),
    "NO_CUSTOMER_PAYMENT_CONFIRMATION",
)
_RELEASED = frozenset({"SHIPPING", "SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED"})
_CANCELABLE = frozenset({"STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "SHIPPING"})
_DEBITING = frozenset({"WAITING_DEBIT", "WAITING_DEBIT_PAYMENT"})
_SENT = frozenset({"SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED"})
# When the buyer pays in workflows that debit after the acceptance: with which state of the order.
_DEBITED_WITH = {PAY_ON_SHIPMENT: "SHIPPED", "PAY_ON_DUE_DATE": "SHIPPED", "PAY_ON_DELIVERY": "RECEIVED"}


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
    received_at: float | None = None
    tracking: dict[str, Any] | None = None
    has_invoice: bool = False

    @property
    def can_cancel(self) -> bool:
        if self.state not in _CANCELABLE or self.debited_at is not None:
            return False
        return not any(line.shipped or line.allotted for line in self.lines)

    def line(self, line_id: str) -> Line:
        """KeyError for one that is not of this order."""
        return {line.line_id: line for line in self.lines}[line_id]

    @property
    def fully_refunded(self) -> bool:
        """What was asked for counts, settled or not."""
        active = [line for line in self.lines if line.state not in ("REFUSED", "CANCELED")]
        return bool(active) and all(line.refunds and line.rest.total <= 0 for line in active)

    @property
    def total(self) -> float:
        return round(sum(line.total for line in self.lines), 2)


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
        self.lines: dict[str, tuple[Order, Line]] = {}
        # Called after every change of an order, in turn; they look at what is so now.
        self.watchers: list[Callable[[Order], object]] = []
        self._by_creation: list[Order] = []
        self._clock = shop.kernel.clock
        self._ledger = shop.kernel.ledger
        # Numbers go on where an earlier run of the sandbox stopped, as far as the clock can tell.
        self._numbers = itertools.count(int(self._clock.timestamp()))

    def number(self) -> str:
        """A new id, of a refund or of a cancelation."""
        return str(next(self._numbers))

    def put(self, orders: Sequence[Order], state: str | None = None) -> None:
        """Buyers' orders arrive; with `state` they are history that stands there. ValueError for a known id."""
        known = [order.order_id for order in orders if order.order_id in self.orders]
        if known or len({order.order_id for order in orders}) < len(orders):
            raise ValueError(f"orders with these ids are there already: {known or 'within the request'}")
        for order in orders:
            self.orders[order.order_id] = order
            self.lines |= {line.line_id: (order, line) for line in order.lines}
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
        for watch in self.watchers:
            watch(order)

    def enter(self, order: Order, state: str, reason: str | None = None) -> None:
        """Moves an order, and those of its lines that are not refused or cancelled, and plans what follows."""
        order.state, order.reason, order.step, order.decided = state, reason, order.step + 1, False
        for line in order.lines:
            if line.live:
                line.state, line.reason = state, reason
        now = self._clock.timestamp()
        if state in _SENT:
            self._ship_rest(order)
            self._plan_end(order, state)
        if _DEBITED_WITH.get(order.workflow) == state:
            self._debit_later(order)
        if state == "WAITING_ACCEPTANCE":
            self.plan(order, order.created_at + self.shop.order_rules.acceptance_seconds, self._lapse)
        elif state == "WAITING_DEBIT":
            order.debit_asked_at = now
            later = now + self.shop.order_rules.state_delay_seconds
            self.plan(order, later, lambda due: self.enter(due, "WAITING_DEBIT_PAYMENT"))
        elif state == "WAITING_DEBIT_PAYMENT":
            self._plan_debit(order, order.debit_asked_at or now)
        elif state in _RELEASED:
            order.released_at = order.released_at or now
            order.addresses_open = order.addresses_open or order.address_seconds is None
            if order.workflow == PAY_ON_ACCEPTANCE:
                order.debited_at = order.debited_at or now
        self.touch(order)

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
        reason = "35" if code == "OR29" else "34"
        for line in order.lines:
            if line.live:
                units, at = line.to_ship + line.allotted, whole_milliseconds(self._clock.timestamp())
                money = line.rest
                line.allotted = 0
                line.cancel(Cancelation(id=self.number(), money=money, quantity=units, reason=reason, created_at=at))
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

    def units_changed(self, order: Order) -> None:
        """After units left or need not leave any more: a line with none to ship is SHIPPED, and so may its order be."""
        if order.state in _CANCELABLE and all(line.state in ("REFUSED", "CANCELED") for line in order.lines):
            self.enter(order, "CANCELED")
        elif order.state == "SHIPPING":
            left = [line for line in order.lines if line.to_ship or line.allotted]
            for line in order.lines:
                if line not in left and line.live and line.shipped:
                    line.state = "SHIPPED"
            if not left and any(line.shipped for line in order.lines):
                self.enter(order, "SHIPPED")
        self.touch(order)

    def debit(self, order: Order) -> None:
        order.debited_at = order.debited_at or whole_milliseconds(self._clock.timestamp())
        self.touch(order)

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
            self.plan(order, order.created_at + order.staging_seconds, self._offer)
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

    def plan(self, order: Order, at: float, job: Callable[[Order], object]) -> None:
        step = order.step

        def due() -> None:
            if order.step == step:
                job(order)

        self._clock.at(max(at, self._clock.timestamp()), due)

    def _plan_debit(self, order: Order, asked_at: float) -> None:
        self.plan(order, asked_at + self.shop.order_rules.debit_timeout_seconds, self.cancel)
        if order.debit_seconds is not None:
            outcome = self.cancel if order.debit_refused else lambda due: self.enter(due, "SHIPPING")
            self.plan(order, asked_at + order.debit_seconds, outcome)

    def _debit_later(self, order: Order) -> None:
        """In workflows that debit with the dispatch or the delivery."""
        if order.debited_at is None and order.debit_seconds is not None and not order.debit_refused:
            self._clock.at(self._clock.timestamp() + order.debit_seconds, functools.partial(self.debit, order))

    def _ship_rest(self, order: Order) -> None:
        now = whole_milliseconds(self._clock.timestamp())
        for line in order.lines:
            units = line.to_ship + line.allotted if line.live else 0
            if units:
                line.shipped, line.allotted, line.shipped_at = line.shipped + units, 0, now

    def _plan_end(self, order: Order, state: str) -> None:
        rules, now = self.shop.order_rules, self._clock.timestamp()
        if state == "RECEIVED":
            order.received_at = order.received_at or whole_milliseconds(now)
            if rules.close_seconds is not None:
                self.plan(order, now + rules.close_seconds, self._close)
        elif state != "CLOSED" and rules.receive_seconds is not None:
            self.plan(order, now + rules.receive_seconds, lambda due: self.enter(due, "RECEIVED"))

    def _close(self, order: Order) -> None:
        """Not while an incident is open; it is looked at again when as much time has passed."""
        if not any(line.incident for line in order.lines):
            self.enter(order, "CLOSED", "AUTO_CLOSED")
        else:
            self._plan_end(order, order.state)

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
