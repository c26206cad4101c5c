"""A21: what this marketplace has counted about the shop, from its own orders, incidents, refunds and threads.

Rates are percent of order lines, delays are seconds; a figure of nothing is null. An order belongs to a period by its
creation, an answer by when it was given. The orders refused in a row have no period: they are told for all time alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.requests import Request

from app.sandbox.clock import iso
from app.sandbox.mirakl.after_admin import AfterSale
from app.sandbox.mirakl.answers import Json, Refused
from app.sandbox.mirakl.inbox import Thread
from app.sandbox.mirakl.lines import Line
from app.sandbox.mirakl.order_lists import LEAD_TIME_DAYS
from app.sandbox.mirakl.orders import OWN_FULFILMENT, Order

ALL = "ALL_SINCE_BEGINNING"
PERIOD_DAYS = {
    "LAST_MONTH": 30,
    "LAST_THREE_MONTHS": 91,
    "LAST_SIX_MONTHS": 182,
    "LAST_YEAR": 365,
    ALL: 1_000_000,
}
_UNDECIDED = ("STAGING", "WAITING_ACCEPTANCE")
_SENT = ("SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED")
Figure = float | int | None


class Ratings:
    def __init__(self, after: AfterSale) -> None:
        self._after = after
        self._clock = after.book.shop.kernel.clock

    async def a21(self, request: Request) -> Json:
        wanted = [name for name in request.query_params.get("periods", "").split(",") if name] or list(PERIOD_DAYS)
        if not set(wanted) <= set(PERIOD_DAYS):
            raise Refused(400, "Error with parameter periods. Please check its type.")
        channel, now = request.query_params.get("channel_code"), self._clock.timestamp()
        spans = {name: _Span(self._after, now - PERIOD_DAYS[name] * 86_400, channel) for name in wanted}
        figures = {
            name: [{"period": period, "value": figure(span)} for period, span in spans.items()]
            for name, figure in _FIGURES.items()
        }
        in_a_row = [{"period": ALL, "value": spans[ALL].refused_in_a_row()}] if ALL in spans else []
        return Json(
            {
                **figures,
                "consecutive_refused_orders_count": in_a_row,
                "channel": channel,
                "last_updated_date": iso(now),
                "shop_id": self._after.book.shop.shop_id,
            }
        )


class _Span:
    """What happened within one period: its orders that the shop ships, of one sales channel or of all."""

    def __init__(self, after: AfterSale, since: float, channel: str | None) -> None:
        self._after = after
        self._shop = after.book.shop
        self._since = since
        self._now = self._shop.kernel.clock.timestamp()
        self.orders = [
            order
            for order in after.book.created_between(since, self._now)
            if order.fulfillment == OWN_FULFILMENT and channel in (None, (order.channel or {}).get("code"))
        ]
        decided = [(order, line) for order in self.orders for line in order.lines if order.state not in _UNDECIDED]
        self.refused = [line for _, line in decided if line.state == "REFUSED"]
        self.accepted = [
            (order, line)
            for order, line in decided
            if line.state != "REFUSED" and (order.state != "CANCELED" or order.accepted_at is not None)
        ]

    def accepted_percent(self) -> Figure:
        return _percent(len(self.accepted), len(self.accepted) + len(self.refused))

    def lapsed_percent(self) -> Figure:
        lapsed = [line for line in self.refused if line.reason == "ACCEPTANCE_TIMEOUT"]
        return _percent(len(lapsed), len(self.accepted) + len(self.refused))

    def acceptance_seconds(self) -> Figure:
        accepted = {order.order_id: order for order, _ in self.accepted}.values()
        return _mean([order.accepted_at - order.created_at for order in accepted if order.accepted_at is not None])

    def refused_in_a_row(self) -> int:
        ended = sorted((order for order in self.orders if order.state not in _UNDECIDED), key=_decided_at)
        count = 0
        for order in ended:
            count = count + 1 if order.reason == "ACCEPTANCE_TIMEOUT" else 0
        return count

    def late_percent(self) -> Figure:
        late = [
            (line.shipped_at or self._now) > due
            for order, line in self.accepted
            if order.released_at is not None
            for due in [order.released_at + LEAD_TIME_DAYS * 86_400]
            if line.shipped_at is not None or (line.to_ship and self._now > due)
        ]
        return _percent(sum(late), len(late))

    def shipping_seconds(self) -> Figure:
        sent = [
            line.shipped_at - order.accepted_at
            for order, line in self.accepted
            if line.shipped_at is not None and order.accepted_at is not None
        ]
        return _mean(sent)

    def tracked_percent(self) -> Figure:
        """Orders each of whose parcels bears a number of a registered carrier."""
        parcels = defaultdict[str, list[dict[str, Any] | None]](list)
        for parcel in self._after.shipments.all.values():
            parcels[parcel.order.order_id].append(parcel.tracking)
        sent = [order for order in self.orders if order.state in _SENT]
        good = [all(map(_is_valid, parcels.get(order.order_id, [order.tracking]))) for order in sent]
        return _percent(sum(good), len(good))

    def share(self, bad: Callable[[Line], bool]) -> Figure:
        return _percent(sum(bad(line) for _, line in self.accepted), len(self.accepted))

    def incident_percent(self) -> Figure:
        entries = self._shop.kernel.ledger.public(code="INCIDENT")["entries"]
        troubled = {entry["order_line_id"] for entry in entries}
        return self.share(lambda line: line.line_id in troubled)

    def returned_percent(self) -> Figure:
        returned = {line.line_id for known in self._after.returns.all.values() for line in known.lines}
        return self.share(lambda line: line.line_id in returned)

    def reply_seconds(self) -> Figure:
        threads = self._after.inbox.threads.values()
        return _mean([seconds for thread in threads for at, seconds in _waits(thread) if at >= self._since])

    def revenue(self) -> float:
        return round(sum(line.total for _, line in self.accepted), 2)

    def cart(self) -> Figure:
        count = len({order.order_id for order, _ in self.accepted})
        return round(self.revenue() / count, 2) if count else None

    def offers(self) -> int:
        return sum(not offer.deleted for offer in self._shop.offers.values())


_FIGURES: dict[str, Callable[[_Span], Figure]] = {
    "approval_delay": _Span.acceptance_seconds,
    "approval_rate": _Span.accepted_percent,
    "auto_refused_rate": _Span.lapsed_percent,
    "average_cart": _Span.cart,
    "average_cart_with_shipping": _Span.cart,
    "cancelation_rate": lambda span: span.share(lambda line: bool(line.cancelations)),
    "evaluations_count": lambda _: 0,
    "grade": lambda _: None,
    "incident_rate": _Span.incident_percent,
    "late_shipment_rate": _Span.late_percent,
    "offers_count": _Span.offers,
    "order_messages_response_delay": _Span.reply_seconds,
    "orders_count": lambda span: len(span.orders),
    "refund_rate": lambda span: span.share(lambda line: bool(line.refunds)),
    "return_rate": _Span.returned_percent,
    "shipping_delay": _Span.shipping_seconds,
    "total_revenue": _Span.revenue,
    "valid_tracking_rate": _Span.tracked_percent,
}


def _decided_at(order: Order) -> float:
    return order.updated_at if order.accepted_at is None else order.accepted_at


def _is_valid(tracking: dict[str, Any] | None) -> bool:
    return bool(tracking and tracking["carrier_code"] and tracking["tracking_number"])


def _waits(thread: Thread) -> Iterable[tuple[float, float]]:
    """Of each answer: its instant, and how long the buyer had waited for it."""
    asked: float | None = None
    for by_buyer, _, at in thread.messages:
        if by_buyer:
            asked = at if asked is None else asked
        elif asked is not None:
            yield at, at - asked
            asked = None


def _percent(part: int, whole: int) -> Figure:
    return round(100 * part / whole, 4) if whole else None


def _mean(seconds: Sequence[float]) -> Figure:
    return round(sum(seconds) / len(seconds)) if seconds else None
