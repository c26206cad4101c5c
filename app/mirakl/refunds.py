"""Money given back at Mirakl: OR28 refunds, OR30 cancels lines. Each call makes new ones; neither is safe to repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Unpack

from app.domain.after_sale import RefundOrder
from app.domain.orders import Tax
from app.mirakl.after_calls import AfterCalls, checked
from app.mirakl.after_schema import CancelationLine, CancelationsMade, Part, RefundLine, RefundsMade
from app.mirakl.calls import Sending
from app.wire.decode import decoded
from app.wire.outcome import Applied, Outcome, Refused, Unknown

LINES_LIMIT = 100
"""Our own: the document names none."""


class RefundRefusal(StrEnum):
    """Why an OR28 was refused."""

    BALANCE = "BALANCE"
    """The shop has not enough money at the marketplace."""
    CLOSED = "CLOSED"
    IN_PROCESS = "IN_PROCESS"
    """Another refund of the line is."""
    NOT_DEBITED = "NOT_DEBITED"
    OVER = "OVER"
    """More than the line has left."""
    TAXES = "TAXES"
    OTHER = "OTHER"


# No document names codes or words of these refusals. "balance" is seen on real instances; the others are what they
# are likely to say. "CLOSED" before "but" would be a state that it may have, not the one it has.
_WORDS: tuple[tuple[RefundRefusal, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (RefundRefusal.BALANCE, r"\bbalance\b|\binsufficient funds?\b"),
        (RefundRefusal.IN_PROCESS, r"\bin (process|progress)\b|\balready (requested|pending|processing)\b"),
        (RefundRefusal.NOT_DEBITED, r"\bdebit(ed)?\b"),
        (RefundRefusal.CLOSED, r"\bclosed\b(?!.*\bbut\b)"),
        (RefundRefusal.TAXES, r"\btax(es)?\b"),
        (RefundRefusal.OVER, r"\bexceed|\b(greater|higher|more) than\b|\btoo (high|large|much)\b"),
    )
)


class RefundCalls(AfterCalls):
    """The money calls of a shop."""

    async def or28_refund(
        self,
        refunds: Sequence[RefundLine],
        order_tax_mode: str,
        **sending: Unpack[Sending],
    ) -> Outcome[RefundsMade]:
        """Refund lines, all or none; see `refund_refusal`. An answer that names other lines than ours is in doubt."""
        answer = await self._write(
            "OR28",
            "PUT",
            "/api/orders/refund",
            {"order_tax_mode": order_tax_mode, "refunds": checked(refunds, LINES_LIMIT)},
            **sending,
        )

        def shape(made: RefundsMade) -> Outcome[RefundsMade]:
            lines = [refund.order_line_id for refund in made.refunds]
            return _unless_others((refund.order_line_id for refund in refunds), lines) or Applied(made)

        return decoded(answer, RefundsMade, shape)

    async def or30_cancel(
        self,
        cancelations: Sequence[CancelationLine],
        order_tax_mode: str,
        **sending: Unpack[Sending],
    ) -> Outcome[CancelationsMade]:
        """Cancel units of lines, all or none. Refused (missing or credentials) where the feature is off."""
        answer = await self._write(
            "OR30",
            "PUT",
            "/api/orders/cancel",
            {"order_tax_mode": order_tax_mode, "cancelations": checked(cancelations, LINES_LIMIT)},
            **sending,
        )

        def shape(made: CancelationsMade) -> Outcome[CancelationsMade]:
            lines = [cancelation.order_line_id for cancelation in made.cancelations]
            return _unless_others((line.order_line_id for line in cancelations), lines) or Applied(made)

        return decoded(answer, CancelationsMade, shape)


def refund_refusal(refused: Refused) -> RefundRefusal:
    """The kind of a refusal by its words, as well as it goes: they are not documented."""
    told = (refused.reason, *(f"{error.code} {error.message}" for error in refused.errors))
    words = " ".join(told).replace("_", " ")
    return next((kind for kind, pattern in _WORDS if pattern.search(words)), RefundRefusal.OTHER)


def refund_line(entry: RefundOrder) -> RefundLine:
    return RefundLine(
        order_line_id=entry.line_id,
        amount=entry.amount,
        shipping_amount=entry.shipping,
        reason_code=entry.reason,
        currency_iso_code=entry.currency,
        quantity=entry.quantity,
        taxes=_parts(entry.taxes),
        shipping_taxes=_parts(entry.shipping_taxes),
        excluded_from_shipment=entry.not_shipped,
    )


def cancelation_line(entry: RefundOrder) -> CancelationLine:
    return CancelationLine(
        order_line_id=entry.line_id,
        amount=entry.amount,
        shipping_amount=entry.shipping,
        quantity=entry.quantity,
        reason_code=entry.reason,
        currency_iso_code=entry.currency,
        taxes=_parts(entry.taxes),
        shipping_taxes=_parts(entry.shipping_taxes),
    )


def _parts(taxes: Iterable[Tax]) -> tuple[Part, ...]:
    return tuple(Part(code=tax.code, amount=tax.amount) for tax in taxes)


def _unless_others(asked: Iterable[str], made: Sequence[str]) -> Unknown | None:
    if Counter(asked) == Counter(made):
        return None
    return Unknown(f"the answer names other lines than ours: {', '.join(made)[:200] or 'none'}")
