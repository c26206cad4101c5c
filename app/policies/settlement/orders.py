"""What a marketplace owes for an order against what its transaction log says (field cases 58, 59, 63).

The log fills over time, and so does what we read: nothing differs before both had the grace period. A difference bears
a key that stays the same while it lasts. Amounts are whole minor units, a plus is money for the shop.

What is compared is the order's own amounts: its prices and taxes as OR11 gives them, less what was cancelled. A row of
a refund without a refund's id is how the platform may take back what was cancelled after the debit [QA]: it counts with
the sale, so that both ways of it come to the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.money import words
from app.domain.orders import SENT_STATES, Order, OrderLine
from app.domain.settlement import Difference, Kind, Transaction
from app.policies.order_entry import TAX_INCLUDED
from app.policies.settlement.amounts import (
    REFUNDED_PARTS,
    SOLD_PARTS,
    Component,
    cancelled,
    gaps,
    given_back,
    only_cycle,
    sold,
    told_of,
)
from app.policies.settlement.charges import charges, types_unknown
from app.policies.settlement.commission import told_fee, wrong_commission
from app.policies.settlement.refunds import Refunds
from app.policies.settlement.terms import Credited, Subject, Terms
from app.policies.settlement.types import Group, is_settled, meaning_of

PAY_ON_ACCEPTANCE = "PAY_ON_ACCEPTANCE"
"""The workflow that debits the whole order at once; in the others the log may fill parcel by parcel."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Shipped, and in no cycle: what the log has open for it, or what the buyer paid where it has nothing."""

    amount: int
    currency: str
    since: datetime


@dataclass(frozen=True, slots=True)
class _Sale:
    """Order lines that are compared as one: a single one (`line_id`), or all where the log does not name them."""

    line_id: str | None
    lines: tuple[OrderLine, ...]
    rows: tuple[Transaction, ...]

    @property
    def name(self) -> str:
        return "all lines" if self.line_id is None else f"line {self.line_id}"


def differences_of_order(
    order_id: str,
    order: Order | None,
    lines: Sequence[Transaction],
    terms: Terms,
    now: datetime,
    *,
    credited: Sequence[Credited] | None = None,
    shipped_at: datetime | None = None,
) -> list[Difference]:
    """Everything about one order that differs.

    `lines`: all that the log has for it. `order`: None where we don't have it. `credited`: every refund and credit that
    Centra has for it; None where the channel's refunds are not followed. `shipped_at`: of its first parcel, if known.
    """
    found = [*types_unknown(lines), *charges(lines, terms)]
    of_lines = [line for line in lines if meaning_of(line.type).of_line]
    if order is None:
        if of_lines:
            found += _order_unknown(Subject(order_id, of_lines[0].currency, terms, now), of_lines)
        return found
    subject = Subject(order_id, order.currency, terms, now)
    found += _other_currencies(subject, of_lines)
    sold_rows, refunded_rows = _parted(line for line in of_lines if line.currency == order.currency)
    sales, strange = _sales(order, sold_rows)
    found += _lines_unknown(subject, strange)
    for sale in sales:
        found += _of_sale(subject, order, sale, is_told=bool(sold_rows))
    taken = {line.line_id: (sale.lines, told_fee(sale.rows)) for sale in sales for line in sale.lines}
    found += Refunds(subject, order, refunded_rows, taken, credited).differences()
    return [*found, *_of_unpaid(subject, order, of_lines, shipped_at)]


def unpaid(order: Order, lines: Iterable[Transaction], shipped_at: datetime | None = None) -> Unpaid | None:
    """What is shipped and debited, and in no cycle yet; None: nothing is. `lines`: all that the log has for the order.

    Marketplaces count an order once it is both debited and delivered, so its age runs from whichever of its debit and
    its dispatch came later.
    """
    if order.debited_at is None or order.state not in SENT_STATES:
        return None
    booked = [line for line in lines if meaning_of(line.type).of_line and line.currency == order.currency]
    due = [line for line in booked if not is_settled(line)]
    if booked and all(meaning_of(line.type).group is not Group.ORDER for line in due):
        return None
    amount = sum(line.amount for line in due) if booked else _bought(order)
    since = max(order.debited_at, shipped_at or order.debited_at)
    return Unpaid(amount, order.currency, since) if amount > 0 else None


def _bought(order: Order) -> int:
    """What the buyer paid and did not get back."""
    paid = sum(sum((sold(order, line) or {}).values()) for line in order.lines)
    back = (entry for line in order.lines for entry in line.taken if not entry.cancelation)
    return paid - sum(sum(given_back(order, entry).values()) for entry in back)


def _of_unpaid(
    subject: Subject, order: Order, lines: Sequence[Transaction], shipped_at: datetime | None
) -> Iterator[Difference]:
    found = unpaid(order, lines, shipped_at)
    if found is not None and subject.now - found.since >= subject.terms.unpaid_after:
        where = "in no cycle yet" if lines else "not in the log"
        text = f"{words(found.amount, found.currency)}, sent by {found.since:%Y-%m-%d}, is {where}"
        yield subject.difference(Kind.UNPAID, "", found.amount, 0, text)


def _order_unknown(subject: Subject, lines: Sequence[Transaction]) -> Iterator[Difference]:
    if not subject.has_had_time(max(line.created_at for line in lines)):
        return
    total = sum(line.amount for line in lines if line.currency == subject.currency)
    since = subject.terms.since
    before = since is not None and min(line.created_at for line in lines) < since
    text = f"the log has {words(total, subject.currency)} for an order that is not here"
    why = "sold before this service read the marketplace's orders" if before else None
    yield subject.difference(Kind.ORDER_UNKNOWN, "", None, total, text, cycle=only_cycle(lines), explained=why)


def _other_currencies(subject: Subject, lines: Iterable[Transaction]) -> Iterator[Difference]:
    for line in lines:
        if line.currency != subject.currency:
            text = f"{line.type} of {words(line.amount, line.currency)}, and the order is in {subject.currency}"
            strange = Subject(subject.order_id, line.currency, subject.terms, subject.now)
            yield strange.difference(
                Kind.AMOUNT, line.id, None, line.amount, text, line_id=line.line_id, cycle=line.cycle
            )


def _lines_unknown(subject: Subject, strange: Mapping[str, Sequence[Transaction]]) -> Iterator[Difference]:
    for line_id, rows in strange.items():
        if subject.has_had_time(max(row.created_at for row in rows)):
            total = sum(row.amount for row in rows)
            text = f"the log has {words(total, subject.currency)} for line {line_id}, which the order does not have"
            yield subject.difference(
                Kind.ORDER_UNKNOWN, f"line {line_id}", None, total, text, line_id=line_id, cycle=only_cycle(rows)
            )


def _parted(lines: Iterable[Transaction]) -> tuple[list[Transaction], dict[str, list[Transaction]]]:
    """What was sold, and what was given back by refund id."""
    sold_rows: list[Transaction] = []
    refunded: defaultdict[str, list[Transaction]] = defaultdict(list)
    for line in lines:
        if meaning_of(line.type).refund and line.refund_id is not None:
            refunded[line.refund_id].append(line)
        else:
            sold_rows.append(line)
    return sold_rows, refunded


def _sales(order: Order, rows: Iterable[Transaction]) -> tuple[list[_Sale], dict[str, list[Transaction]]]:
    """What is compared, and the rows of lines that the order does not have."""
    by_line: defaultdict[str | None, list[Transaction]] = defaultdict(list)
    for row in rows:
        by_line[row.line_id].append(row)
    own = {line.line_id: by_line.pop(line.line_id, []) for line in order.lines}
    unnamed = by_line.pop(None, [])
    strange = {line_id: its for line_id, its in by_line.items() if line_id is not None}
    if unnamed:
        every = [*unnamed, *(row for its in own.values() for row in its)]
        return [_Sale(None, order.lines, tuple(every))], strange
    return [_Sale(line.line_id, (line,), tuple(own[line.line_id])) for line in order.lines], strange


def _of_sale(subject: Subject, order: Order, sale: _Sale, *, is_told: bool) -> Iterator[Difference]:
    """`is_told`: whether the log has any sale of the order; one without any is a matter of `unpaid`."""
    gone = [entry for line in sale.lines for entry in cancelled(line)]
    changes = [row.created_at for row in sale.rows] + [entry.created_at for entry in gone if entry.created_at]
    if not subject.has_had_time(max([order.debited_at or order.created_at, *changes])):
        return
    filling = order.workflow != PAY_ON_ACCEPTANCE and order.state not in SENT_STATES
    expected = _expected(order, sale.lines)
    if sale.rows:
        yield from _of_amounts(subject, order, sale, expected, has_cancelations=bool(gone), filling=filling)
        yield from _of_commission(subject, order, sale, filling=filling)
    elif expected and is_told and order.debited_at and not filling and (total := sum(expected.values())):
        text = f"{sale.name}: the buyer pays {words(total, subject.currency)}, the log has nothing for it"
        yield subject.difference(Kind.AMOUNT, sale.name, total, 0, text, line_id=sale.line_id)


def _expected(order: Order, lines: Iterable[OrderLine]) -> Counter[Component] | None:
    whole: Counter[Component] = Counter()
    for line in lines:
        amounts = sold(order, line)
        if amounts is None:
            return None
        for component, units in amounts.items():
            whole[component] += units
    return whole


def _of_amounts(
    subject: Subject,
    order: Order,
    sale: _Sale,
    expected: Mapping[Component, int] | None,
    *,
    has_cancelations: bool,
    filling: bool,
) -> Iterator[Difference]:
    parts = REFUNDED_PARTS if has_cancelations else SOLD_PARTS
    if expected is None:
        return
    for gap in gaps(expected, told_of(sale.rows), parts, tax_included=order.tax_mode == TAX_INCLUDED):
        if filling and 0 <= gap.told < gap.expected:
            continue
        text = (
            f"{gap.name} of {sale.name}: the order has {words(gap.expected, subject.currency)},"
            f" the log {words(gap.told, subject.currency)}"
        )
        yield subject.difference(
            Kind.AMOUNT,
            f"{sale.name}:{gap.name}",
            gap.expected,
            gap.told,
            text,
            line_id=sale.line_id,
            cycle=only_cycle(sale.rows),
        )


def _of_commission(subject: Subject, order: Order, sale: _Sale, *, filling: bool) -> Iterator[Difference]:
    wrong = wrong_commission(order, sale.lines, told_fee(sale.rows), subject.terms.commission)
    if wrong is None or (filling and wrong.expected < wrong.told <= 0):
        return
    yield subject.difference(
        Kind.COMMISSION,
        sale.name,
        wrong.expected,
        wrong.told,
        f"{sale.name}: {wrong.words}",
        line_id=sale.line_id,
        cycle=only_cycle(sale.rows),
    )
