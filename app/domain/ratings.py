"""How a marketplace rates its sellers: the measures that operators set limits for.

What a measure counts is Mirakl's own definition of it (A21, "Get shop statistics"): order lines, unless it says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Measure(StrEnum):
    """What a seller is rated by; the value is its name in settings and metrics, with its unit."""

    ACCEPTANCE = "acceptance_percent"
    """Accepted lines of those accepted or refused."""
    ACCEPTANCE_TIME = "acceptance_seconds"
    """From the order's creation to its acceptance, on average."""
    LAPSED = "lapsed_in_a_row"
    """Orders that nobody answered in time, since the last one that was answered."""
    LATE = "late_percent"
    """Lines shipped after the order's shipping deadline, of those shipped or overdue."""
    TRACKED = "tracked_percent"
    """Orders whose parcels all have a number of a registered carrier, of those told as shipped."""
    CANCELLED = "cancelled_percent"
    """Accepted lines with a cancelation."""
    INCIDENTS = "incident_percent"
    """Accepted lines that ever had an incident."""
    REFUNDED = "refunded_percent"
    """Accepted lines with a refund."""
    REPLY_TIME = "reply_seconds"
    """From a buyer's message to the shop's answer, on average."""

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]

    @property
    def is_percent(self) -> bool:
        return self.value.endswith("_percent")

    @property
    def is_seconds(self) -> bool:
        return self.value.endswith("_seconds")

    @property
    def falls(self) -> bool:
        """Whether the lower figure is the worse one."""
        return self in (Measure.ACCEPTANCE, Measure.TRACKED)

    @property
    def grows(self) -> bool:
        """Whether the next bad case also adds to what is counted; else it is one of those that count already."""
        return self in (Measure.ACCEPTANCE, Measure.LATE, Measure.TRACKED)


_WORDS: Mapping[Measure, str] = {
    Measure.ACCEPTANCE: "acceptance rate",
    Measure.ACCEPTANCE_TIME: "acceptance time",
    Measure.LAPSED: "lapsed in a row",
    Measure.LATE: "late shipments",
    Measure.TRACKED: "valid tracking",
    Measure.CANCELLED: "cancelations",
    Measure.INCIDENTS: "incidents",
    Measure.REFUNDED: "refunds",
    Measure.REPLY_TIME: "reply time",
}


class Source(StrEnum):
    """Whose figure it is."""

    MARKETPLACE = "marketplace"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Levels:
    """An operator's levels for a measure, in its unit: a warning that is reached, a limit that is passed."""

    warning: Decimal | None = None
    limit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted for a measure: how many, how many of them bad; of times how many seconds in all."""

    counted: int = 0
    bad: int = 0
    seconds: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rating:
    """A figure of a measure, None where there is nothing to rate. `span`: our days, or the marketplace's period.

    `orders`: how many stand behind it, None where nobody says.
    """

    measure: Measure
    source: Source
    value: Decimal | None
    span: str
    orders: int | None = None
    told_at: datetime | None = None
    """When it was counted; of the marketplace's, when the marketplace last did."""


@dataclass(frozen=True, slots=True)
class Cause:
    """An order, line or answer that counts as bad for a measure, with what is known of it on our side."""

    order_id: str
    at: datetime
    """When the order was created; of an answer, when the buyer wrote."""
    sku: str | None = None
    line_id: str | None = None
    seconds: float | None = None
    """How long it took, or how late it was."""
    seen_at: datetime | None = None
    accept_by: datetime | None = None
    decided_at: datetime | None = None
    """When our decision was taken; None: we took none."""
    sent_at: datetime | None = None
    """When our answer was last sent."""
    lapsed: bool = False
    choice: str | None = None
    """A person's."""
    steps: tuple[str, ...] = ()
    """What led to our decision."""
    shipped_at: datetime | None = None
    """When it left, by Centra's word."""
    told_at: datetime | None = None
    """When the marketplace took that."""
    parcel: str | None = None
    carrier: str | None = None
    tracking: str | None = None
    reasons: tuple[str, ...] = ()
    """The marketplace's codes (RE01) of incidents, refunds or cancelations."""
    ours: str | None = None
    """Why the shop cancelled or refunded it, where it was us."""
