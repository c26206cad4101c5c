"""What the act of the settlement is judged by: each marketplace's own books, and what our tables have of them.

What was planted, closed and paid is the stand-in's word, and so are the sums of its log. Ours are the lines as they
were read, with what differs, and the journal as it was exported. Amounts are cents.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from app.commands.demo.after_sale_ends import cents
from app.commands.lab import Lab
from app.domain.settlement import State, Transaction
from app.policies.settlement.types import Group, meaning_of
from app.store import ledger, settlement
from app.store.ledger import Listed
from app.store.pool import Database
from app.store.settlement import LIVE, Noted

MOST = 100


# ------------------------------------------------------------------------------------- what the marketplaces tell


class Planted(msgspec.Struct, frozen=True):
    """Something that was done to the money by hand: lines, a document, a correction, or a wrong pay-out."""

    what: str
    type: str = ""
    ids: list[str] = []
    number: str = ""
    amount: int = 0
    tax: int = 0
    order_line_id: str = ""
    off_cents: int = 0


class Closed(msgspec.Struct, frozen=True):
    """A billing cycle. `off_cents`: what is paid beside the total of its lines."""

    cycle_id: str
    lines: int
    total: int
    paid: int
    off_cents: int = 0


class PaidOut(msgspec.Struct, frozen=True):
    """A pay-out, with the number that the bank's statement bears."""

    cycle_id: str
    number: str
    amount: int


class Sum(msgspec.Struct, frozen=True):
    """Of lines of one type in one state; the amount is of the currency."""

    lines: int
    amount: float


@dataclass(frozen=True, slots=True)
class Books:
    """What one marketplace says of its own money. `sums`: of its log, by type and state."""

    planted: Sequence[Planted]
    cycles: Sequence[Closed]
    pay_outs: Sequence[PaidOut]
    sums: Mapping[str, Mapping[str, Sum]]


async def read_books(running: Lab, channel: str) -> Books:
    """Ask a marketplace's stand-in."""
    address = running.mirakl[channel]
    codes = ("PLANTED", "CYCLE", "PAYOUT")
    told = {code: (await running.ask(address, f"/_sandbox/ledger?code={code}"))["entries"] for code in codes}
    sums = (await running.ask(address, "/_sandbox/money"))["types"]
    return Books(
        msgspec.convert(told["PLANTED"], list[Planted]),
        msgspec.convert(told["CYCLE"], list[Closed]),
        msgspec.convert(told["PAYOUT"], list[PaidOut]),
        msgspec.convert(sums, dict[str, dict[str, Sum]]),
    )


# ------------------------------------------------------------------------------------------- what the service has


@dataclass(frozen=True, slots=True)
class Ours:
    """What our tables have of one marketplace's money: its lines, its cycles (oldest first), and what differs."""

    lines: Sequence[Transaction]
    cycles: Sequence[Listed]
    differences: Sequence[Noted]

    @property
    def found(self) -> list[Noted]:
        """The differences that no rule explains."""
        return [one for one in self.differences if one.state is not State.EXPLAINED or one.decided_by is not None]

    def of_cycle(self, cycle_id: str) -> list[Transaction]:
        """Its lines; the payment is none of them, and of no part in its sum."""
        return [line for line in self.lines if line.cycle == cycle_id and not is_payment(line)]


def is_payment(line: Transaction) -> bool:
    return meaning_of(line.type).group is Group.PAYMENT


def is_of_buyer(line: Transaction, *, refund: bool) -> bool:
    """Whether a buyer paid it, or got it back."""
    meaning = meaning_of(line.type)
    return meaning.part is not None and meaning.refund is refund


async def read_ours(database: Database, channel: str, since: datetime, until: datetime) -> Ours:
    """Ask our tables for what was booked in a time."""
    async with database.desk.acquire() as connection, connection.transaction():
        lines = [line async for line in ledger.booked(connection, channel, since, until)]
        cycles = await ledger.newest_cycles(connection, channel, MOST)
        found = [one async for one in settlement.listed(connection, scope=channel, states=LIVE)]
    return Ours(lines, cycles[::-1], found)


@dataclass(slots=True)
class Account:
    """What was booked on an account."""

    debit: int = 0
    credit: int = 0

    @property
    def balance(self) -> int:
        return self.debit - self.credit


@dataclass(slots=True)
class Journal:
    """A channel's part of an exported journal. `transactions`: what each comes to, which must be 0."""

    accounts: defaultdict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    transactions: Counter[str] = field(default_factory=Counter)

    @property
    def debit(self) -> int:
        return sum(account.debit for account in self.accounts.values())

    @property
    def credit(self) -> int:
        return sum(account.credit for account in self.accounts.values())


def read_journal(lines: Iterable[str]) -> Mapping[str, Journal]:
    """The journal of each channel, from a CSV file as `settlement export` writes it."""
    found: defaultdict[str, Journal] = defaultdict(Journal)
    for row in csv.DictReader(lines):
        journal = found[row["channel"]]
        debit, credit = (cents(float(row[side] or 0)) for side in ("debit", "credit"))
        account = journal.accounts[row["account"]]
        account.debit, account.credit = account.debit + debit, account.credit + credit
        journal.transactions[row["transaction"]] += debit - credit
    return found


def journal_of(file: Path) -> Mapping[str, Journal]:
    """As `read_journal`, of a file."""
    with file.open(encoding="utf-8", newline="") as lines:
        return read_journal(lines)
