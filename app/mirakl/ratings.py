"""A21: what the marketplace has counted about this shop, once a day, for several periods at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from app.domain.ratings import Measure
from app.mirakl.calls import ShopCalls
from app.mirakl.order_schema import Instant
from app.wire.decode import decoded
from app.wire.outcome import Outcome
from app.wire.permit import Permit
from app.wire.request import WireRequest


class Statistic(msgspec.Struct, frozen=True):
    """A figure over a period: ALL_SINCE_BEGINNING, LAST_MONTH, LAST_THREE_MONTHS, …"""

    period: str | None = None
    value: Decimal | None = None


Told = tuple[Statistic, ...] | None


class Statistics(msgspec.Struct, frozen=True):
    """Rates are of order lines, delays in seconds."""

    shop_id: int | None = None
    last_updated_date: Instant | None = None
    orders_count: Told = None
    approval_rate: Told = None
    approval_delay: Told = None
    consecutive_refused_orders_count: Told = None
    late_shipment_rate: Told = None
    valid_tracking_rate: Told = None
    cancelation_rate: Told = None
    incident_rate: Told = None
    refund_rate: Told = None
    order_messages_response_delay: Told = None

    def figures(self, measure: Measure) -> Mapping[str, Decimal | None]:
        """What is told of a measure, by period."""
        told: Told = getattr(self, _MEMBERS[measure])
        return by_period(told)


_MEMBERS: Mapping[Measure, str] = {
    Measure.ACCEPTANCE: "approval_rate",
    Measure.ACCEPTANCE_TIME: "approval_delay",
    Measure.LAPSED: "consecutive_refused_orders_count",
    Measure.LATE: "late_shipment_rate",
    Measure.TRACKED: "valid_tracking_rate",
    Measure.CANCELLED: "cancelation_rate",
    Measure.INCIDENTS: "incident_rate",
    Measure.REFUNDED: "refund_rate",
    Measure.REPLY_TIME: "order_messages_response_delay",
}


def by_period(told: Told) -> Mapping[str, Decimal | None]:
    """Figures by the period that they are of; those of no named period are nothing that could be compared."""
    return {one.period: one.value for one in told or () if one.period}


class RatingCalls(ShopCalls):
    """The statistics of a shop."""

    async def a21_get_statistics(self, *, permit: Permit | None = None) -> Outcome[Statistics]:
        """Every figure of every period, over all channels of the marketplace. Refused (credentials): another shop's."""
        answer = await self._send(WireRequest("A21", "GET", "/api/account/statistics"), permit=permit)
        return decoded(answer, Statistics, lambda told: self._ours(told.shop_id, told))
