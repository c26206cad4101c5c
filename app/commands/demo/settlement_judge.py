"""The judge of the act of the settlement: line by line, cycle by cycle, difference by difference, in words.

What a marketplace's own books say and what Centra sold and took back must be what our tables have; what was planted
must be found, each once, with both figures, and nothing besides. Amounts are cents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.commands.demo.after_sale_ends import AfterSale, cents, money
from app.commands.demo.settlement_cast import BANK, CLEARING, SUSPENSE
from app.commands.demo.settlement_ends import Books, Closed, Journal, Ours, Planted, is_of_buyer, is_payment
from app.domain.settlement import Kind, PayOut, Transaction
from app.policies.settlement.types import Group, meaning_of
from app.store.ledger import Listed
from app.store.settlement import Noted

CYCLES = 2
CHARGE = f"{Kind.CHARGE}:"
TOGETHER = timedelta(minutes=1)
"""App time between the lines of one charge, and more than is between two of them."""
COMMISSIONS = (Group.COMMISSION, Group.COMMISSION_TAX)


@dataclass(frozen=True, slots=True)
class Money:
    """All that is compared of one channel."""

    channel: str
    books: Books
    ours: Ours
    ends: AfterSale


@dataclass(slots=True)
class Judged:
    """How one channel ended."""

    money: Money
    journal: Journal
    paired: Paired
    counts: Counter[Standing]
    faults: list[str]

    @property
    def channel(self) -> str:
        return self.money.channel

    def read_again(self, ours: Ours) -> None:
        """The differences that were paired, as they stand by now."""
        now = {one.number: one for one in ours.differences}
        self.paired.pairs = [
            (wanted, None if found is None else now.get(found.number)) for wanted, found in self.paired.pairs
        ]


def judge(told: Money, journal: Journal, words: Sequence[str], across: Sequence[str]) -> Judged:
    """Compare all of it. `words`: what was planted, in order; `across`: orders that are given back across cycles."""
    counts, faults = standings(told)
    made = paired(expected(told.books, words), told.ours)
    faults += [
        *unpaired(told.channel, made),
        *log_faults(told),
        *order_faults(told),
        *cycle_faults(told, CYCLES),
        *across_faults(told, across),
        *journal_faults(told, journal),
    ]
    return Judged(told, journal, made, counts, faults)


def signed(amount: int) -> str:
    """Of cents, as people read it, also below 0."""
    return f"-{money(-amount)}" if amount < 0 else money(amount)


# ----------------------------------------------------------------------------------------------- what was planted


@dataclass(frozen=True, slots=True)
class Expected:
    """A difference that must be found. `names`: one of what it is about; `stake`: told less expected."""

    words: str
    kind: Kind
    names: frozenset[str]
    stake: int

    def is_it(self, found: Noted, lines: Mapping[str, Transaction]) -> bool:
        """Whether a difference that was found is this one, to the cent."""
        stake = None if found.told is None else found.told - (found.expected or 0)
        return found.kind is self.kind and stake == self.stake and bool(self.names & _names(found, lines))


def _names(found: Noted, lines: Mapping[str, Transaction]) -> set[str]:
    """What a difference is about: its order line and cycle, or the line of a charge and the document that bears it."""
    names = {found.line_id, found.cycle}
    if found.kind is Kind.CHARGE:
        line = lines.get(found.key.removeprefix(CHARGE))
        names = set() if line is None else {line.id, line.document}
    return {name for name in names if name is not None}


def expected(books: Books, words: Sequence[str]) -> list[Expected]:
    """What the marketplace's ledger says was planted. `words`: what people call it, in order."""
    return [_expected(one, books, its) for one, its in zip(books.planted, words, strict=True)]


def _expected(planted: Planted, books: Books, words: str) -> Expected:
    match planted.what:
        case "lines":
            return Expected(words, Kind.CHARGE, frozenset(planted.ids), planted.amount + planted.tax)
        case "document":
            sign = 1 if planted.type == "MANUAL_CREDIT" else -1
            names = frozenset({planted.number})
            return Expected(words, Kind.CHARGE, names, sign * (planted.amount + planted.tax))
        case "commission":
            return Expected(words, Kind.COMMISSION, frozenset({planted.order_line_id}), planted.amount)
        case "pay-out":
            off = frozenset(cycle.cycle_id for cycle in books.cycles if cycle.off_cents)
            return Expected(words, Kind.PAYOUT_SUM, off, planted.off_cents)
        case _:
            raise ValueError(f"{planted.what} was planted, and this act does not know what must come of it")


@dataclass(slots=True)
class Paired:
    """What was planted beside what was found of it, and what was found besides."""

    pairs: list[tuple[Expected, Noted | None]] = field(default_factory=list)
    besides: list[Noted] = field(default_factory=list)


def paired(wanted: Sequence[Expected], ours: Ours) -> Paired:
    """Each difference that no rule explains goes with one that was planted."""
    left, lines, made = list(ours.found), {line.id: line for line in ours.lines}, Paired()
    for one in wanted:
        found = next((noted for noted in left if one.is_it(noted, lines)), None)
        if found is not None:
            left.remove(found)
        made.pairs.append((one, found))
    made.besides = left
    return made


def unpaired(channel: str, made: Paired) -> Iterator[str]:
    """In words, what is missing and what is too much."""
    for one, found in made.pairs:
        if found is None:
            yield f"{channel}: {one.words} was planted ({one.kind}, {signed(one.stake)}), and is not found"
    for noted in made.besides:
        yield f"{channel}: d{noted.number} was found ({noted.kind}), and nobody planted it: {noted.words}"


# ------------------------------------------------------------------------------------------------- line by line


class Standing(StrEnum):
    """Of a line of the log."""

    MATCHED = "matched"
    """It is of an order line, refund or pay-out that the other side has, and nothing about it differs."""
    EXPLAINED = "explained"
    """A difference names it, in words."""


def standings(told: Money) -> tuple[Counter[Standing], list[str]]:
    """How many lines stand so, and those that do not stand at all."""
    counts: Counter[Standing] = Counter()
    faults: list[str] = []
    for line in told.ours.lines:
        standing = _standing(told, line)
        if standing is None:
            faults.append(f"{told.channel}: {line.type} of {signed(line.amount)} is neither matched nor explained")
        else:
            counts[standing] += 1
    return counts, faults


def _standing(told: Money, line: Transaction) -> Standing | None:
    if is_payment(line):
        return _of_payment(told, line)
    meaning = meaning_of(line.type)
    if meaning.is_charge:
        return Standing.EXPLAINED if _is_in_charge(told.ours, line) else None
    wrong = {one.line_id for one in told.ours.differences if one.kind is Kind.COMMISSION}
    if line.line_id in wrong and meaning.group in COMMISSIONS:
        return Standing.EXPLAINED
    return Standing.MATCHED if meaning.of_line and _has_other_side(told, line) else None


def _of_payment(told: Money, line: Transaction) -> Standing | None:
    if not any(one.number == line.payment and one.amount == -line.amount for one in told.books.pay_outs):
        return None
    wrong = {one.cycle for one in told.ours.differences if one.kind is Kind.PAYOUT_SUM}
    return Standing.EXPLAINED if line.cycle in wrong else Standing.MATCHED


def _is_in_charge(ours: Ours, line: Transaction) -> bool:
    """Whether a charge is a difference, or the tax of one."""
    keys = {one.key for one in ours.differences if one.kind is Kind.CHARGE}
    return any(
        CHARGE + other.id in keys
        and (other.document, other.order_id) == (line.document, line.order_id)
        and abs(other.created_at - line.created_at) < TOGETHER
        for other in ours.lines
    )


def _has_other_side(told: Money, line: Transaction) -> bool:
    """Whether Centra has the order line, and the marketplace the refund that Centra's return is the other side of."""
    entered = told.ends.of(told.channel, line.order_id or "")
    if entered is None or line.line_id not in {units.line_id for units in entered.lines}:
        return False
    if line.refund_id is None:
        return True
    sold = told.ends.sold[told.channel].lines[line.line_id]
    returned = {units.line_id for made in told.ends.returns if made.is_completed for units in made.lines}
    return line.refund_id in {given.id for given in sold.refunds} and line.line_id in returned


# ------------------------------------------------------------------------------------ sums, orders and cycles


def log_faults(told: Money) -> Iterator[str]:
    """Where the log as it was read is not the marketplace's, by type and state."""
    read: Counter[tuple[str, str]] = Counter()
    amounts: Counter[tuple[str, str]] = Counter()
    for line in told.ours.lines:
        read[line.type, line.state] += 1
        amounts[line.type, line.state] += line.amount
    wrote = {(type_, state): one for type_, states in told.books.sums.items() for state, one in states.items()}
    for place in sorted({*read, *wrote}):
        there, amount = (wrote[place].lines, cents(wrote[place].amount)) if place in wrote else (0, 0)
        if (read[place], amounts[place]) != (there, amount):
            yield (
                f"{told.channel}: {' '.join(place)}: {there} lines of {signed(amount)} there,"
                f" {read[place]} of {signed(amounts[place])} here"
            )


def order_faults(told: Money) -> Iterator[str]:
    """Where an order was not sold or given back in Centra for what the log says; Centra may round each unit."""
    orders = {line.order_id for line in told.ends.sold[told.channel].lines.values()}
    for order_id in sorted(orders):
        entered = told.ends.of(told.channel, order_id)
        if entered is None:
            yield f"{told.channel}: Centra has no order for {order_id}"
            continue
        units = sum(line.quantity for line in entered.lines)
        back = sum(cents(m.grand_total) for m in told.ends.returns if m.order == entered.number and m.is_completed)
        wanted = {"sold": cents(entered.totals.grand_total), "given back": -back}
        for (name, amount), refund in zip(wanted.items(), (False, True), strict=True):
            of_order = (line for line in told.ours.lines if line.order_id == order_id)
            logged = sum(line.amount for line in of_order if is_of_buyer(line, refund=refund))
            if abs(logged - amount) > units:
                yield f"{told.channel}: {order_id}, {name}: {signed(logged)} in the log, {signed(amount)} in Centra"


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A billing cycle as people read it. `total`: what its lines come to; `bank`: what was paid out."""

    channel: str
    cycle_id: str
    closed_at: datetime
    lines: int
    orders: int
    refunds: int
    fees: int
    bank: int

    @property
    def total(self) -> int:
        return self.orders + self.refunds + self.fees

    @property
    def apart(self) -> int:
        return self.bank - self.total


def cycle_rows(told: Money) -> list[CycleRow]:
    """Each cycle by our lines, beside the marketplace's pay-out."""
    bank = {one.cycle_id: one.amount for one in told.books.pay_outs}
    return [_row(told, one, bank.get(one.cycle.id, 0)) for one in told.ours.cycles]


def _row(told: Money, listed: Listed, bank: int) -> CycleRow:
    lines = told.ours.of_cycle(listed.cycle.id)
    orders = sum(line.amount for line in lines if is_of_buyer(line, refund=False))
    refunds = sum(line.amount for line in lines if is_of_buyer(line, refund=True))
    fees = sum(line.amount for line in lines) - orders - refunds
    cycle = listed.cycle
    return CycleRow(told.channel, cycle.id, cycle.created_at, len(lines), orders, refunds, fees, bank)


def cycle_faults(told: Money, wanted: int) -> Iterator[str]:
    """Where there are not `wanted` cycles, or they are not as the marketplace closed and paid them."""
    if len(told.books.cycles) != wanted:
        yield f"{told.channel}: {len(told.books.cycles)} billing cycles were closed, not {wanted}"
    rows = {row.cycle_id: row for row in cycle_rows(told)}
    states = {one.cycle.id: one.cycle for one in told.ours.cycles}
    for closed in told.books.cycles:
        row, cycle = rows.pop(closed.cycle_id, None), states.get(closed.cycle_id)
        if row is None or cycle is None:
            yield f"{told.channel}: cycle {closed.cycle_id} was closed, and is not read"
        elif Closed(cycle.id, row.lines, row.total, cycle.paid, cycle.paid - row.total) != closed:
            yield (
                f"{told.channel}: cycle {cycle.id} has {closed.lines} lines of {signed(closed.total)} and pays"
                f" {signed(closed.paid)} there; here {row.lines} of {signed(row.total)}, {signed(cycle.paid)}"
            )
        elif cycle.state != PayOut.PAID or row.bank != closed.paid:
            yield f"{told.channel}: cycle {cycle.id} is {cycle.state} here, and {signed(row.bank)} left the bank there"
    for row in rows.values():
        yield f"{told.channel}: cycle {row.cycle_id} is read, and nobody closed it"


def given_back_across(told: Money) -> list[str]:
    """Orders that were paid in one cycle and given back in a later one."""
    closed = {one.cycle.id: one.cycle.created_at for one in told.ours.cycles}
    found = []
    for order_id in sorted({line.order_id for line in told.ours.lines if line.order_id is not None}):
        its = [line for line in told.ours.lines if line.order_id == order_id]
        paid, back = (
            {closed[line.cycle] for line in its if line.cycle in closed and is_of_buyer(line, refund=refund)}
            for refund in (False, True)
        )
        if paid and back and min(back) > max(paid):
            found.append(order_id)
    return found


def across_faults(told: Money, order_ids: Sequence[str]) -> Iterator[str]:
    """Where other orders than these were given back across cycles, or one of these was not."""
    found = set(given_back_across(told))
    for order_id in sorted(found ^ set(order_ids)):
        yield f"{told.channel}: {order_id} is {'' if order_id in found else 'not '}given back across cycles"


def journal_faults(told: Money, journal: Journal) -> Iterator[str]:
    """Where the journal does not balance, leaves lines out, or ends elsewhere than the marketplace's books."""
    for transaction, amount in sorted(journal.transactions.items()):
        if amount:
            yield f"{told.channel}: the journal's lines of {transaction} come to {signed(amount)}, not to 0"
    booked = {line.id for line in told.ours.lines if line.amount}
    if booked != journal.transactions.keys():
        count = len(booked ^ journal.transactions.keys())
        yield f"{told.channel}: {count} transactions are only in the log or only in the journal"
    wanted = {
        BANK: sum(one.amount for one in told.books.pay_outs),
        CLEARING: -sum(cycle.off_cents for cycle in told.books.cycles),
        SUSPENSE: 0,
    }
    for account, amount in wanted.items():
        balance = journal.accounts[account].balance if account in journal.accounts else 0
        if balance != amount:
            yield f"{told.channel}: account {account} is {signed(balance)} in the journal, not {signed(amount)}"
