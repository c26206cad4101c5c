"""Money between a marketplace and the shop: what it writes down, pays out and bills, and where that differs from ours.

Amounts are whole minor units of the currency beside them; a plus is money for the shop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Transaction:
    """One line of the transaction log (TL02). `type` is the platform's word, also one that nobody here knows."""

    id: str
    type: str
    amount: int
    currency: str
    state: str
    """PENDING, PAYABLE, PAID, NOT_APPLICABLE or RESERVE."""
    created_at: datetime
    updated_at: datetime
    cycle: str | None = None
    """The billing cycle (SBC11) that it was settled in; None: in none yet."""
    order_id: str | None = None
    line_id: str | None = None
    refund_id: str | None = None
    tax: str | None = None
    """Code of the tax that it is, of the order's or of the shop's."""
    tax_rate: Decimal | None = None
    document: str | None = None
    """Number of the accounting document that bears it."""
    payment: str | None = None
    """Number of the payment (`transaction_info`) that it is, for PAYMENT."""
    label: str = ""
    """What a penalty, fee or manual document is for, in the operator's words."""


class PayOut(StrEnum):
    """State of a cycle's pay-out."""

    TO_PAY = "TO_PAY"
    PAID = "PAID"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Cycle:
    """A billing cycle (SBC11): `paid` is what goes to the seller. `state` is the platform's word, see `PayOut`."""

    id: str
    currency: str
    created_at: datetime
    state: str
    paid: int
    reference: str | None = None
    failure: str | None = None
    paid_at: datetime | None = None
    totals: Mapping[str, int] = field(default_factory=dict)
    """The summary's totals by their names, where told."""


@dataclass(frozen=True, slots=True)
class Document:
    """An accounting document (IV01). `type`: AUTO_INVOICE, MANUAL_INVOICE or MANUAL_CREDIT."""

    id: str
    number: str
    type: str
    currency: str
    issued_at: datetime
    net: int
    gross: int
    cycle: str | None = None
    state: str = ""
    payment_state: str = ""
    due_at: datetime | None = None
    label: str = ""


class Kind(StrEnum):
    """What a difference of money is about."""

    PAYOUT_SUM = "payout_sum"
    """A payout is not the sum of its lines."""
    PAYOUT_FAILED = "payout_failed"
    PAYOUT_LATE = "payout_late"
    ORDER_UNKNOWN = "order_unknown"
    """A line names an order, order line or refund that we don't have."""
    TYPE_UNKNOWN = "type_unknown"
    AMOUNT = "amount"
    """What the marketplace wrote down for an order line is not what the buyer paid or got back."""
    COMMISSION = "commission"
    """Not the contract's."""
    REFUND_MISSING = "refund_missing"
    """Refunded in Centra or at the marketplace, and not in the log."""
    UNPAID = "unpaid"
    """Shipped, and in no payout yet for longer than usual."""
    CHARGE = "charge"
    """A penalty, manual invoice or credit, one-off item or subscription: somebody has to know what it is for."""
    UNREADABLE = "unreadable"
    """A line of the log that could not be read."""


class State(StrEnum):
    """Of a difference. It opens and closes by itself; `accepted` is a person's word, with a note."""

    OPEN = "open"
    EXPLAINED = "explained"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    """It is gone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `key` is stable: found again, it is the same one."""

    kind: Kind
    key: str
    currency: str
    expected: int | None
    told: int | None
    words: str
    """For a person, with both figures."""
    cycle: str | None = None
    order_id: str | None = None
    line_id: str | None = None
    explained: str | None = None
    """Why it is no error, where that is known by rule."""

    @property
    def at_stake(self) -> int | None:
        if self.expected is None or self.told is None:
            return self.told if self.expected is None else self.expected
        return self.told - self.expected
