"""What a channel's contract says of its money, and what Centra knows of a refund.

Amounts are whole minor units, a plus is money for the shop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from app.domain.settlement import Difference, Kind


@dataclass(frozen=True, slots=True)
class Commission:
    """The contract's commission on price and shipping, in the order's tax mode, as the marketplace computes it.

    `share` and `vat` are parts of one (0.15). Without a share, what the order says of its commission is the measure.
    `minimum`: of an order line, in the order's currency, before tax. `refunded`: whether a refund gives it back.
    """

    share: Decimal | None = None
    by_category: Mapping[str, Decimal] = field(default_factory=dict)
    """By the marketplace's category code."""
    minimum: Decimal = Decimal(0)
    vat: Decimal | None = None
    refunded: bool = True


@dataclass(frozen=True, slots=True)
class Terms:
    """What a channel's contract and its usual rhythm say."""

    commission: Commission = field(default_factory=Commission)
    subscription: Decimal | None = None
    """Of a cycle, before tax, in the cycle's currency."""
    order_fee: Decimal | None = None
    """SELLER_FEE_ON_ORDER, before tax, in the order's currency."""
    grace: timedelta = timedelta(days=1)
    refund_after: timedelta = timedelta(days=7)
    """From a refund to its rows in the log."""
    unpaid_after: timedelta = timedelta(days=21)
    """From dispatch to the cycle that pays it."""
    pay_out_after: timedelta = timedelta(days=5)
    """From the end of a cycle to its pay-out."""
    since: datetime | None = None
    """What the log booked before is of orders that may not have come to us."""


@dataclass(frozen=True, slots=True)
class Credited:
    """A refund as Centra has it. `source`: what a person finds it by there, as "return 501"."""

    source: str
    at: datetime
    amount: int | None
    """With tax; None where it is not compared."""
    refund_ids: tuple[str, ...] = ()
    """The marketplace's, of the refunds that are its other side."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The order whose money is compared, and by which terms and when."""

    order_id: str
    currency: str
    terms: Terms
    now: datetime

    def has_had_time(self, since: datetime) -> bool:
        """Whether both sides should be complete about what last changed then."""
        return self.now - since >= self.terms.grace

    def difference(
        self,
        kind: Kind,
        name: str,
        expected: int | None,
        told: int | None,
        words: str,
        *,
        line_id: str | None = None,
        cycle: str | None = None,
        explained: str | None = None,
    ) -> Difference:
        """One of this order. `name`: what of the order it is about, empty for all of it."""
        key = f"{kind}:{self.order_id}:{name}" if name else f"{kind}:{self.order_id}"
        return Difference(kind, key, self.currency, expected, told, words, cycle, self.order_id, line_id, explained)
