"""How far a marketplace order has come on our side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.domain.ids import CentraNumber, OrderLineId
from app.domain.orders import Order
from app.domain.teams import Team


class Choice(StrEnum):
    """What a person decided about an order."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    IMPORT = "import"
    """Go on with an order that somebody else accepted."""


class Acceptor(StrEnum):
    """Who accepted an order."""

    US = "us"
    SYSTEM = "system"
    SOMEBODY = "somebody"
    """A person in the back office, or another tool (field case 40)."""


class Outcome(StrEnum):
    """How an order ended for us."""

    RELEASED = "released"
    """In Centra, the warehouse may ship it."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    """Nobody answered in time, and the marketplace refused it."""
    RECORDED = "recorded"
    """Not ours to ship, or over before we came."""


class EntryCall(StrEnum):
    """The calls of an order's entry, as the ledger names them."""

    CREATE = "OrderCreate"
    COMPLETE = "OrderComplete"
    HOLD = "OrderHold"
    RELEASE = "OrderRelease"
    CONFIRM = "OrderConfirm"
    CANCEL = "OrderCancel"
    CANCEL_LINES = "OrderCancelLines"
    CANCEL_AT_MARKETPLACE = "OR29"


@dataclass(frozen=True, slots=True)
class Decided:
    """Which lines are accepted, and the steps that led there, in words."""

    accepted: Mapping[OrderLineId, bool]
    steps: tuple[str, ...] = ()
    short: tuple[OrderLineId, ...] = ()
    """Accepted although there is not enough stock: they become backorders."""

    @property
    def accepted_lines(self) -> frozenset[OrderLineId]:
        return frozenset(line for line, yes in self.accepted.items() if yes)


@dataclass(frozen=True, slots=True)
class EntryLine:
    """A line of the Centra order as read back: `line_id` is Mirakl's, from the line's comment."""

    id: int
    line_id: OrderLineId
    sku: str
    quantity: int
    cancelled: int = 0
    allocated: int = 0
    shipped: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """The Centra order as last read back."""

    status: str
    held: bool
    unpaid: bool
    lines: tuple[EntryLine, ...] = ()

    @property
    def is_blocked(self) -> bool:
        """Whether one of the two flags keeps the warehouse from shipping it (business rule 14)."""
        return self.held or self.unpaid

    @property
    def is_cancelled(self) -> bool:
        return self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class Record:
    """Everything about an order but its buyer."""

    order: Order
    read_at: datetime
    seen_at: datetime
    accept_by: datetime
    decided: Decided | None = None
    choice: Choice | None = None
    accept_sent_at: datetime | None = None
    accepted_at: datetime | None = None
    accepted_by: Acceptor | None = None
    number: CentraNumber | None = None
    centra_id: str | None = None
    centra_customer: int | None = None
    entry: Entry | None = None
    created_in_centra_at: datetime | None = None
    converted_at: datetime | None = None
    completed_at: datetime | None = None
    checked_at: datetime | None = None
    centra_changed_at: datetime | None = None
    """When Centra last said that it changed the order."""
    problem: str | None = None
    problem_team: Team | None = None
    blocked: bool = True
    confirmed_at: datetime | None = None
    referenced_at: datetime | None = None
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    parts: tuple[CentraNumber, ...] = field(default=())
    """Further Centra orders when one POST gave several."""

    @property
    def used_window(self) -> float:
        """Share of the acceptance window that had passed when Mirakl was last read; for people."""
        whole = (self.accept_by - self.order.created_at).total_seconds()
        return (self.read_at - self.order.created_at).total_seconds() / whole if whole > 0 else 1.0
