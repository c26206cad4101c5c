"""A billing cycle's pay-out against the sum of its lines (field case 63).

Each pay-out is the sum of its lines, whatever their types: of all of them, but for the payment itself and for lines
that go through no pay-out. What a reserve holds back or gives back is a line like any other. The totals of the cycle's
summary are compared where their meaning is plain: whether orders count shipping and fees there is not documented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.money import words
from app.domain.settlement import Cycle, Difference, Kind, PayOut
from app.policies.settlement.terms import Terms
from app.policies.settlement.types import NOT_APPLICABLE, Group, meaning_of

_SUMMARY: Mapping[str, tuple[tuple[Group, ...], tuple[Group, ...]]] = {
    "commissions": ((Group.COMMISSION,), (Group.COMMISSION_TAX,)),
    "refund_commissions": ((Group.REFUNDED_COMMISSION,), (Group.REFUNDED_COMMISSION_TAX,)),
    "subscription": ((Group.SUBSCRIPTION,), (Group.SUBSCRIPTION_TAX,)),
    "seller_penalty_fees": ((Group.PENALTY,), (Group.PENALTY_TAX,)),
    "seller_fees_on_orders": ((Group.SELLER_FEE,), (Group.SELLER_FEE_TAX,)),
    "other_credits": (
        (Group.MANUAL_CREDIT, Group.ONE_OFF_CREDIT),
        (Group.MANUAL_CREDIT_TAX, Group.ONE_OFF_CREDIT_TAX),
    ),
    "other_invoices": (
        (Group.MANUAL_INVOICE, Group.ONE_OFF_DEBIT),
        (Group.MANUAL_INVOICE_TAX, Group.ONE_OFF_DEBIT_TAX),
    ),
}
"""Totals of SBC11's summary that are compared, by the middle of their names: without tax, and what tax adds."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Lines of a cycle by type and state, in the cycle's currency."""

    type: str
    state: str
    amount: int
    count: int


def differences_of_cycle(
    cycle: Cycle,
    sums: Sequence[Sum],
    terms: Terms,
    now: datetime,
    *,
    carried: int = 0,
) -> list[Difference]:
    """Everything about one cycle that differs.

    `carried`: what earlier cycles left below 0, see `carried_over`. Charges and types that nobody knows are of the
    orders that its lines name, or of the lines themselves (`settlement_charges`).
    """
    found = [*_of_pay_out(cycle, terms, now)]
    if now - cycle.created_at >= terms.grace:
        found += _of_sum(cycle, sums, carried)
        found += _of_payment(cycle, sums)
        found += _of_summary(cycle, sums)
    return found


def lines_total(sums: Iterable[Sum]) -> int:
    """What the lines of a cycle come to: all but the payment, and those that go through no pay-out."""
    return sum(
        one.amount for one in sums if one.state != NOT_APPLICABLE and meaning_of(one.type).group is not Group.PAYMENT
    )


def carried_over(totals: Iterable[int]) -> int:
    """What cycles in a row leave to the next one: 0, or the sum below 0 that no pay-out can take from a shop.

    `totals`: what the lines of each come to, the oldest first, of one currency.
    """
    carried = 0
    for total in totals:
        carried = min(0, carried + total)
    return carried


def _of_pay_out(cycle: Cycle, terms: Terms, now: datetime) -> Iterator[Difference]:
    if cycle.state == PayOut.FAILED:
        why = cycle.failure or "no reason given"
        text = f"the pay-out of {words(cycle.paid, cycle.currency)} failed: {why}"
        yield _difference(cycle, Kind.PAYOUT_FAILED, "", cycle.paid, 0, text)
    elif cycle.state == PayOut.TO_PAY and now - cycle.created_at >= terms.pay_out_after and cycle.paid > 0:
        closed = f"{cycle.created_at:%Y-%m-%d}"
        text = f"the pay-out of {words(cycle.paid, cycle.currency)} for the cycle closed on {closed} is not made yet"
        yield _difference(cycle, Kind.PAYOUT_LATE, "", cycle.paid, 0, text)


def _of_sum(cycle: Cycle, sums: Sequence[Sum], carried: int) -> Iterator[Difference]:
    total = lines_total(sums)
    due = total + carried
    if cycle.paid == due or (due < 0 and cycle.paid == 0):  # nothing is paid, and the next cycle starts below 0
        return
    before = f" after {words(carried, cycle.currency)} from earlier cycles" if carried else ""
    text = f"the lines come to {words(total, cycle.currency)}{before}, paid is {words(cycle.paid, cycle.currency)}"
    yield _difference(cycle, Kind.PAYOUT_SUM, "", max(0, due), cycle.paid, text)


def _of_payment(cycle: Cycle, sums: Sequence[Sum]) -> Iterator[Difference]:
    payments = [one for one in sums if meaning_of(one.type).group is Group.PAYMENT]
    logged = -sum(one.amount for one in payments)
    if payments and logged != cycle.paid:
        text = (
            f"the cycle pays {words(cycle.paid, cycle.currency)}, the log's payment is {words(logged, cycle.currency)}"
        )
        yield _difference(cycle, Kind.PAYOUT_SUM, "payment", cycle.paid, logged, text)


def _of_summary(cycle: Cycle, sums: Sequence[Sum]) -> Iterator[Difference]:
    by_group: Counter[Group] = Counter()
    for one in sums:
        by_group[meaning_of(one.type).group] += one.amount
    for name, (net, tax) in _SUMMARY.items():
        for suffix, groups in (("incl_tax", (*net, *tax)), ("excl_tax", net)):
            total = f"total_{name}_{suffix}"
            told, expected = cycle.totals.get(total), sum(by_group[group] for group in groups)
            if told is not None and abs(told) != abs(expected):  # whether a total bears a sign is not documented
                text = f"{total} is {words(told, cycle.currency)}, the lines come to {words(expected, cycle.currency)}"
                yield _difference(cycle, Kind.PAYOUT_SUM, total, expected, told, text)
                break  # with tax and without is one difference


def _difference(cycle: Cycle, kind: Kind, name: str, expected: int, told: int, text: str) -> Difference:
    key = f"{kind}:{cycle.id}:{name}" if name else f"{kind}:{cycle.id}"
    return Difference(kind, key, cycle.currency, expected, told, f"cycle {cycle.id}: {text}", cycle.id)
