"""How the marketplace is told that Centra will not ship (field case 46; business rule 21).

Every cancellation of Centra ends in a cancel (OR29, OR30), a refund of units excluded from shipment (OR28), or a
person. Nothing is left to do where the marketplace cancelled first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.domain.after_sale import Advice, Cancelled, RefundOrder, Stop
from app.domain.ids import OrderLineId
from app.domain.orders import ENDED_STATES, SENT_STATES, Order, OrderState, Refunded
from app.policies.dispatch import REFUNDED, Units, open_units, units_to_ship
from app.policies.order_entry import TAX_EXCLUDED
from app.policies.order_steps import Wait
from app.policies.refunds import RefundPolicy, of_units

UNDEBITED_WORKFLOWS = ("PAY_ON_DELIVERY", "PAY_ON_DUE_DATE", "PAY_ON_SHIPMENT")
"""Workflows in which OR30 cancels until the buyer is debited."""
UNSHIPPED_WORKFLOW = "NO_CUSTOMER_PAYMENT_CONFIRMATION"
"""The one in which OR30 cancels until something is shipped."""
PAY_ON_ACCEPTANCE = "PAY_ON_ACCEPTANCE"


@dataclass(frozen=True, slots=True)
class CancelPolicy:
    """What a channel decides and its marketplace is like: reasons of RE01, one for each type.

    `order_level_taxes`: the marketplace computes taxes for the whole order, so that OR30 must not name any where
    prices are without tax.
    """

    cancel_reason: str = "35"
    refund_reason: str = "15"
    order_level_taxes: bool = False
    refunds: RefundPolicy = field(default_factory=RefundPolicy)
    tax_rules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """OR29: all of the order."""


@dataclass(frozen=True, slots=True)
class Part:
    """OR30: these units and amounts."""

    lines: tuple[RefundOrder, ...]


@dataclass(frozen=True, slots=True)
class Refund:
    """OR28: the buyer has paid, so these units are paid back and leave what is to be shipped."""

    lines: tuple[RefundOrder, ...]


HowToCancel = Whole | Part | Refund | Wait | Stop | None


def how_to_cancel(
    order: Order,
    lines: Sequence[Cancelled],
    taken: Sequence[Refunded],
    policy: CancelPolicy,
    *,
    or30: bool,
    sent: Units | None = None,
    excluded: Units | None = None,
    returned: Collection[str] = (),
) -> HowToCancel:
    """The call that tells it, None where the marketplace knows already.

    `taken`: every refund and cancelation of the order's lines. `or30`: the operator's switch. `sent`: units told as
    shipped. `excluded`: units that our refunds took out of what is to be shipped. `returned`: ids of our refunds for
    what came back, which left even where the marketplace was not told yet.
    """
    if order.state in ENDED_STATES:
        return None
    sent, excluded = sent or {}, excluded or {}
    unexplained = [entry for entry in taken if entry.refund_id not in returned]
    units = _still(order, lines, unexplained, sent, excluded)
    if isinstance(units, Stop):
        return units
    if not units:
        return None
    if order.state in SENT_STATES:
        advice = Advice.OPERATOR if order.state == OrderState.CLOSED else Advice.BY_HAND
        return Stop(f"Centra cancelled units of an order that the marketplace has as {order.state}", advice)
    if order.can_cancel and units == open_units(order, excluded):
        return Whole()
    if order.state in (OrderState.STAGING, OrderState.WAITING_ACCEPTANCE):
        return Stop("cancelled in Centra, and not accepted yet: refuse it with `orders refuse`", Advice.BY_HAND)
    if or30 and _or30_takes(order, sent):
        return _part(order, units, taken, policy)
    if _is_paid(order):
        unnamed = policy.refunds.unnamed(policy.tax_rules)
        entries = of_units(order, units, taken, policy.refund_reason, unnamed, not_shipped=True)
        return entries if isinstance(entries, Stop) else Refund(entries)
    if order.workflow == PAY_ON_ACCEPTANCE:
        return Wait("the order can't be cancelled now; its units are refunded once the buyer is debited")
    return Stop(
        "the buyer is not debited, and the marketplace lets the shop cancel only the whole order, or nothing",
        Advice.OPERATOR,
        {"workflow": order.workflow, "can_cancel": str(order.can_cancel), "OR30": "on" if or30 else "off"},
    )


def _still(
    order: Order, lines: Sequence[Cancelled], taken: Sequence[Refunded], sent: Units, excluded: Units
) -> dict[OrderLineId, int] | Stop:
    """Units by line that the marketplace still means to have shipped, or why that is not clear."""
    known = {line.line_id: line for line in order.lines}
    cancelled: Counter[OrderLineId] = Counter()  # Centra may have one order line as two
    for entry in lines:
        cancelled[entry.line_id] += entry.quantity
    units: dict[OrderLineId, int] = {}
    for line_id, quantity in cancelled.items():
        line = known.get(line_id)
        if line is None:
            return Stop(f"Centra cancelled line {line_id}, which the order does not have", Advice.BY_HAND)
        still = quantity - line.cancelled_quantity - excluded.get(line_id, 0)
        if still <= 0 or not line.live or line.state == REFUNDED:
            continue
        told = sent.get(line_id, 0)
        refunded = sum(e.quantity for e in taken if e.line_id == line_id and not e.cancelation)
        if still > (free := units_to_ship(line, excluded) - told):
            words = f"line {line_id}: Centra cancelled {still} units, {max(free, 0)} are not told as shipped"
            return Stop(words, Advice.BY_HAND)
        if refunded > told + excluded.get(line_id, 0):
            words = f"line {line_id}: units were refunded before they left, perhaps those that Centra cancelled"
            return Stop(words, Advice.BY_HAND, {"refunded": str(refunded), "cancelled in Centra": str(still)})
        units[line_id] = still
    return units


def _or30_takes(order: Order, sent: Units) -> bool:
    if order.workflow == UNSHIPPED_WORKFLOW:
        return not any(sent.values())
    return order.workflow in UNDEBITED_WORKFLOWS and order.debited_at is None


def _is_paid(order: Order) -> bool:
    """Paid on acceptance means paid before SHIPPING, also where the date is not told."""
    return order.debited_at is not None or (order.workflow == PAY_ON_ACCEPTANCE and order.state == OrderState.SHIPPING)


def _part(order: Order, units: Units, taken: Sequence[Refunded], policy: CancelPolicy) -> Part | Stop:
    unnamed = policy.refunds.unnamed(policy.tax_rules)
    entries = of_units(order, units, taken, policy.cancel_reason, unnamed)
    if isinstance(entries, Stop):
        return entries
    if policy.order_level_taxes and order.tax_mode == TAX_EXCLUDED:
        entries = tuple(replace(entry, taxes=(), shipping_taxes=()) for entry in entries)
    return Part(entries)
