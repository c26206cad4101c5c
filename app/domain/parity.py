"""Where a marketplace, Centra and this service have something otherwise than each other, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.teams import Team


class Kind(StrEnum):
    """What is compared. The marketplace is `theirs`, except of orders and what follows them, where Centra may be."""

    STOCK = "stock"
    PRICES = "prices"
    OFFERS = "offers"
    ORDERS = "orders"
    SHIPMENTS = "shipments"
    CANCELLATIONS = "cancellations"
    REFUNDS = "refunds"
    RETURNS = "returns"
    CARRIERS = "carriers"
    MAPPINGS = "mappings"

    @property
    def team(self) -> Team:
        """Who is asked about what the service can't mend."""
        return _TEAMS.get(self, Team.OPERATIONS)


_TEAMS = {
    Kind.STOCK: Team.ECOMMERCE,
    Kind.PRICES: Team.ECOMMERCE,
    Kind.OFFERS: Team.ECOMMERCE,
    Kind.MAPPINGS: Team.ECOMMERCE,
    Kind.REFUNDS: Team.FINANCE,
    Kind.RETURNS: Team.CUSTOMER_SERVICE,
}


class Cause(StrEnum):
    """Why both ends differ, where that is known."""

    ON_ITS_WAY = "on its way"
    """A key that is due or worked, an import in flight, or a copy of the far side that is older than what it took."""
    HELD = "held"
    """A person is asked about it already, in the list of held work."""
    REFUSED = "refused"
    """The marketplace refused it, in its own words."""
    PAUSED = "paused"
    """It waits for an allowance, or for a platform that does not answer."""
    DRY_RUN = "dry run"
    """The channel decides and sends nothing."""
    BY_HAND = "by hand"
    """The far side took what we sent, and has something else now: somebody changed it in a back office."""
    NOT_OURS = "not ours"
    """Nothing in Centra stands behind it."""
    MISSED = "missed"
    """Every flow that should have noticed it did not."""


SETTLES_ITSELF = frozenset({Cause.ON_ITS_WAY, Cause.HELD, Cause.PAUSED, Cause.DRY_RUN})
"""Nothing is to be done about these that is not under way, or asked for, already."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that both ends have otherwise, as far as it is known to be so now.

    `key`: the SKU, the order or what else the kind compares; `member` of it, so that the four name a difference once.
    """

    kind: Kind
    key: str
    member: str
    ours: str
    theirs: str
    cause: Cause = Cause.MISSED
    words: str = ""
    """What the cause is known by: a report's words, the reason of a hold."""
    since: datetime | None = None
    """Since when it is on its way."""
    mend: str | None = None
    """The flow that mends it once its key is marked; None: none does."""
    asks: bool = True
    """Whether a person is asked where it can't be mended; not where waiting may be right."""
    mended: bool = False
    """It was mended as it was found: what the far side told was stored."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a difference from earlier runs."""

    tries: int = 0
    """How often its key was marked."""
    mended_at: datetime | None = None
    held: bool = False
    resolved: bool = False
    """A person said that it may stay so; no longer once either end changes."""


NEW = Before()
UNREAD = "unread"
"""The member of an order that the daily export told, and that no pass had read so."""


class Deed(StrEnum):
    """What is done about a difference."""

    NOTHING = "nothing"
    MENDED = "mended"
    HELD = "held"
    RESOLVED = "resolved"
