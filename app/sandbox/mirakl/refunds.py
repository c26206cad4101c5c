"""OR28 and OR30: what the seller gives back, and how refunds settle.

A replayed OR28 is another refund. It takes its money from the shop's pending balance, or from the payable one once
the order is RECEIVED. A refund is settled by the payment side: WAITING_REFUND, half of `refund_seconds` later
WAITING_REFUND_PAYMENT, then REFUNDED with its transaction. A line is REFUNDED when all of it is.

The ledger gets OR28 (refund_id, order_refund_id, order_id, order_line_id, tax_mode of the order, amount,
shipping_amount, taxes, shipping_taxes, fees, reason_code, quantity, excluded), REFUND (the same, the operator's),
REFUNDED (refund_id, order_id, number), OR30 and CANCELED (cancelation_id and the same amounts).
"""

import functools
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request

from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.given_back import Entry, Reader
from app.sandbox.mirakl.lines import Cancelation, Line, Refund, amounts
from app.sandbox.mirakl.orders import PAY_ON_ACCEPTANCE, Order, OrderBook, whole_milliseconds

_REFUNDABLE = ("SHIPPING", "SHIPPED", "TO_COLLECT", "RECEIVED")
_UNPAID_WORKFLOW = "NO_CUSTOMER_PAYMENT_CONFIRMATION"


class Refunds:
    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shop = book.shop
        self._clock = book.shop.kernel.clock
        self._ledger = book.shop.kernel.ledger

    async def or28(self, request: Request) -> Json:
        reader = Reader(self._book, "REFUND", self._check_refund)
        entries = reader.read(await request.body(), "refunds")
        for entry in entries:
            if entry.money.total <= 0:
                raise Refused(400, f"The refund of order line '{entry.line.line_id}' has no amount")
        self._check_units((entry.line, entry.quantity) for entry in entries if entry.not_shipped)
        self._pay(entries)
        made = self.refund(entries, "OR28")
        shown = [_shown_refund(e, r, included=reader.included) for e, r in zip(entries, made, strict=True)]
        return Json({"order_tax_mode": reader.tax_mode, "refunds": shown})

    async def or30(self, request: Request) -> Json:
        if not self._shop.order_rules.or30:
            raise Refused(404, "Not found")
        reader = Reader(self._book, "CANCELATION", self._check_cancelation)
        entries = reader.read(await request.body(), "cancelations")
        if self._shop.order_rules.order_level_taxes and not reader.included and reader.names_taxes:
            raise Refused(400, "Taxes are calculated for the order and must not be sent")
        if not all(entry.quantity for entry in entries):
            raise Refused(400, "The quantity of a cancelation is at least 1")
        self._check_units((entry.line, entry.quantity) for entry in entries)
        made = self.cancel(entries, "OR30")
        shown = [_shown_cancelation(e, c, included=reader.included) for e, c in zip(entries, made, strict=True)]
        return Json({"order_tax_mode": reader.tax_mode, "cancelations": shown})

    def refund(self, entries: Sequence[Entry], code: str) -> list[Refund]:
        """They are made, whoever makes them; of one order they are one group."""
        now, groups = whole_milliseconds(self._clock.timestamp()), dict[str, str]()
        made: list[Refund] = []
        for entry in entries:
            group = groups.setdefault(entry.order.order_id, str(uuid.uuid4()))
            excluded = entry.quantity if entry.not_shipped else 0
            refund = Refund(
                id=self._book.number(),
                money=entry.money,
                quantity=entry.quantity,
                reason=entry.reason,
                created_at=now,
                group=group,
                excluded=excluded,
            )
            entry.line.refunds.append(refund)
            entry.line.excluded += excluded
            facts = {"order_refund_id": group, "excluded": excluded, **_facts(entry, refund)}
            self._ledger.record(code, refund_id=refund.id, **facts)
            self._plan(entry, refund)
            made.append(refund)
        for order in {entry.order.order_id: entry.order for entry in entries}.values():
            self._book.units_changed(order)
        return made

    def cancel(self, entries: Sequence[Entry], code: str) -> list[Cancelation]:
        now = whole_milliseconds(self._clock.timestamp())
        made: list[Cancelation] = []
        for entry in entries:
            cancelation = Cancelation(
                id=self._book.number(),
                money=entry.money,
                quantity=entry.quantity,
                reason=entry.reason,
                created_at=now,
            )
            entry.line.cancel(cancelation)
            self._ledger.record(code, cancelation_id=cancelation.id, **_facts(entry, cancelation))
            made.append(cancelation)
        for order in {entry.order.order_id: entry.order for entry in entries}.values():
            self._book.units_changed(order)
        return made

    def settle(self, order: Order, line: Line, refund: Refund) -> None:
        """The payment side has given the money back."""
        if refund.state == "REFUNDED":
            return
        refund.state, refund.settled_at = "REFUNDED", whole_milliseconds(self._clock.timestamp())
        refund.number = f"RF-{refund.id}"
        self._ledger.record("REFUNDED", refund_id=refund.id, order_id=order.order_id, number=refund.number)
        if line.live and line.rest.total <= 0 and all(other.state == "REFUNDED" for other in line.refunds):
            line.state, line.reason, line.incident = "REFUNDED", refund.reason, None
            self._book.units_changed(order)
            end = self._shop.order_rules.refunded_order_state
            if end is not None and not any(other.live for other in order.lines):
                self._book.enter(order, end)
        self._book.touch(order)

    def _check_refund(self, order: Order, line: Line) -> None:
        if order.state not in _REFUNDABLE:
            raise Refused(400, f"The order status must be one of {', '.join(_REFUNDABLE)} but it is '{order.state}'.")
        if order.debited_at is None:
            raise Refused(400, f"The customer has not been debited for order '{order.order_id}'")
        if not line.live:
            raise Refused(400, f"Order line '{line.line_id}' is not in the expected state, it is '{line.state}'")
        waiting = any(refund.state != "REFUNDED" for refund in line.refunds)
        if waiting and self._shop.order_rules.one_refund_at_a_time:
            raise Refused(400, f"A refund is already in process on order line '{line.line_id}'")

    def _check_cancelation(self, order: Order, line: Line) -> None:
        """PAY_ON_ACCEPTANCE has none; the others until they are debited, or until something has left."""
        if order.state != "SHIPPING" or not line.live:
            raise Refused(400, f"The order status must be 'SHIPPING' but it is '{order.state}'.")
        gone = any(line.shipped for line in order.lines) if order.workflow == _UNPAID_WORKFLOW else order.debited_at
        if order.workflow == PAY_ON_ACCEPTANCE or gone:
            raise Refused(400, "Order is not in the expected state, its lines cannot be canceled")

    def _check_units(self, wanted: Iterable[tuple[Line, int]]) -> None:
        """No unit that left, or that is in a shipment, can be excluded or cancelled."""
        units: Counter[str] = Counter()
        for line, quantity in wanted:
            units[line.line_id] += quantity
            if units[line.line_id] > line.to_ship:
                raise Refused(400, f"Order line '{line.line_id}' has {line.to_ship} units left to ship")

    def _pay(self, entries: Sequence[Entry]) -> None:
        needed = {"pending": 0, "payable": 0}
        for entry in entries:
            needed["payable" if entry.order.state == "RECEIVED" else "pending"] += entry.money.total
        for name, cents in needed.items():
            balance = self._shop.balances[name]
            if balance is not None and cents > balance:
                raise Refused(400, f"The shop does not have a sufficient {name} balance for the refund")
        for name, cents in needed.items():
            balance = self._shop.balances[name]
            self._shop.balances[name] = None if balance is None else balance - cents

    def _plan(self, entry: Entry, refund: Refund) -> None:
        seconds = self._shop.order_rules.refund_seconds
        now = self._clock.timestamp()

        def hand_over() -> None:
            if refund.state == "WAITING_REFUND":
                refund.state = "WAITING_REFUND_PAYMENT"
                self._book.touch(entry.order)

        self._clock.at(now + (seconds or 0.0) / 2, hand_over)
        if seconds is not None:
            self._clock.at(now + seconds, functools.partial(self.settle, entry.order, entry.line, refund))


def _facts(entry: Entry, given: Cancelation) -> dict[str, Any]:
    """For the ledger: in the order's own tax mode."""
    return {
        "order_id": entry.order.order_id,
        "order_line_id": entry.line.line_id,
        "tax_mode": entry.order.tax_mode,
        **amounts(entry.line, given.money, included=entry.line.tax_included),
        "reason_code": given.reason,
        "quantity": given.quantity,
    }


def _shown_cancelation(entry: Entry, given: Cancelation, *, included: bool) -> dict[str, Any]:
    return {
        **amounts(entry.line, given.money, included=included),
        "cancelation_id": given.id,
        "currency_iso_code": entry.order.currency,
        "order_line_id": entry.line.line_id,
        "quantity": given.quantity,
        "reason_code": given.reason,
    }


def _shown_refund(entry: Entry, refund: Refund, *, included: bool) -> dict[str, Any]:
    shown = _shown_cancelation(entry, refund, included=included)
    del shown["cancelation_id"]
    return {
        **shown,
        "excluded_from_shipment": entry.not_shipped,
        "order_refund_id": refund.group,
        "refund_id": refund.id,
    }
