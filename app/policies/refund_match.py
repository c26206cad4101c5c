"""Which refund at the marketplace is the one whose answer was lost (field case 58).

The marketplace takes no key of ours: only what is new since the call, and equal in every member, is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.after_sale import Credit, Given, RefundOrder
from app.domain.ids import OrderLineId
from app.domain.money import minor
from app.domain.orders import Order, Refunded
from app.policies.order_entry import TAX_EXCLUDED


@dataclass(frozen=True, slots=True)
class Found:
    """The refunds that a doubtful OR28 made, one for each of its lines, in their order."""

    refund_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No line of a doubtful OR28 has a new refund."""


@dataclass(frozen=True, slots=True)
class Near:
    """New refunds that are not clearly ours: a person looks."""

    words: str


def match(
    intended: Sequence[RefundOrder], before: frozenset[str], now: Sequence[Refunded], *, currency: str
) -> Found | Nothing | Near:
    """Whether an OR28 in doubt was applied, by the refunds before it was sent and those there now.

    `currency`: the order's, in which all its refunds are. Refunds of other lines are somebody else's.
    """
    new = [refund for refund in now if refund.refund_id not in before and not refund.cancelation]
    wanted = {refund.line_id for refund in intended}
    near = [refund for refund in new if refund.line_id in wanted]
    if not near:
        return Nothing()
    found: list[str] = []
    for refund in intended:
        alike = [other.refund_id for other in near if _same(refund, other, currency)]
        if len(alike) != 1 or alike[0] in found:
            ids = ", ".join(other.refund_id for other in near)
            return Near(f"{len(alike)} new refunds of line {refund.line_id} are as ours; new on its lines: {ids}")
        found += alike
    return Found(tuple(found))


def applied(
    intended: Sequence[RefundOrder], before: frozenset[str], now: Sequence[Refunded], *, currency: str
) -> tuple[str, ...]:
    """The refunds that a doubtful call made, once a person says that it was applied; otherwise as `match`.

    Of several that equal ours one is taken, since money has no name, and the others stay the marketplace's own; where
    none equals ours, all new ones of the line are.
    """
    found: list[str] = []
    for refund in intended:
        new = [other for other in now if other.line_id == refund.line_id and other.refund_id not in {*before, *found}]
        alike = [other for other in new if _same(refund, other, currency)]
        found += [other.refund_id for other in alike[:1] or new]
    return tuple(found)


def is_given(credit: Credit, given: Sequence[Given], order: Order) -> bool:
    """Whether a return that is told again, as with its payment entry or undone and completed, is as it was refunded."""
    lines = [line for one in given for line in one.lines]
    back, units = Counter[OrderLineId](), Counter[OrderLineId]()
    for returned in credit.lines:
        back[returned.line_id] += returned.quantity
    for line in lines:
        units[line.line_id] += line.quantity
    money = sum((line.amount + line.shipping for line in lines), start=Decimal(0))
    if order.tax_mode == TAX_EXCLUDED:
        money += sum(tax.amount for line in lines for tax in (*line.taxes, *line.shipping_taxes))
    if credit.total is None or +units != +back:
        return False
    return abs(minor(money - credit.total, credit.currency)) <= sum(back.values()) + 1  # Centra's rounding


def _same(refund: RefundOrder, other: Refunded, currency: str) -> bool:
    return (refund.line_id, refund.amount, refund.shipping, refund.currency, refund.reason) == (
        other.line_id,
        other.amount,
        other.shipping,
        currency,
        other.reason,
    )
