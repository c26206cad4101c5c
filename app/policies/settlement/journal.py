"""The transaction log as journal lines of a shop's books, balanced to zero.

Each transaction debits the marketplace's clearing account with what it brings the shop, and credits the account of its
group, so that after its payment the clearing account of a billing cycle stands at what was paid otherwise than its
lines say: at zero, if nothing was. A payment moves clearing to the bank. Lines that go through no pay-out post nothing.

The lines come in the order of what they are made of, the same ones for the same input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from decimal import Decimal

from app.domain.money import major, minor
from app.domain.orders import Order, OrderLine, Tax
from app.domain.settlement import Transaction
from app.policies.csv_text import Cell, csv_lines
from app.policies.order_entry import TAX_INCLUDED
from app.policies.refunds import allocate
from app.policies.settlement.amounts import NET, given_back, of_part, priced, sold
from app.policies.settlement.types import NOT_APPLICABLE, Group, Meaning, Part, meaning_of


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of the books, as text. `suspense` takes whatever has no account of its own: nothing is left out."""

    clearing: str
    """What the marketplace owes."""
    bank: str
    suspense: str
    by_group: Mapping[Group, str] = field(default_factory=dict)
    by_tax: Mapping[str, str] = field(default_factory=dict)
    """Of taxes on sales and refunds, by the order's tax code; before the account of the group."""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    """More of every line, as a cost centre: column and value."""


@dataclass(frozen=True, slots=True)
class Contained:
    """A tax that is part of a transaction's amount, in minor units and with its sign."""

    code: str
    rate: Decimal | None
    amount: int


@dataclass(frozen=True, slots=True)
class Booking:
    """A transaction as it is booked: with its order's country (alpha-2), and taxes in its amount (`contained_in`)."""

    transaction: Transaction
    country: str = ""
    contained: tuple[Contained, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One side of a posting: `amount` in minor units, a plus debits the account, a minus credits it."""

    transaction: str
    day: date
    account: str
    amount: int
    currency: str
    text: str
    channel: str
    country: str
    tax: str
    tax_rate: Decimal | None
    """In percent."""
    cycle: str
    order_id: str
    document: str
    dimensions: Mapping[str, str]


HEADER: tuple[str, ...] = (
    *("transaction", "date", "account", "debit", "credit", "currency", "text", "channel", "country"),
    *("tax_code", "tax_rate", "cycle", "order", "document"),
)


def journal(bookings: Iterable[Booking], accounts: Accounts, channel: str, zone: tzinfo) -> Iterator[JournalLine]:
    """The lines of these transactions, balanced for each; an amount of 0 posts nothing. Days are those of the zone."""
    for booking in bookings:
        line = booking.transaction
        meaning = meaning_of(line.type)
        if line.state == NOT_APPLICABLE or not line.amount:
            continue
        made = _Posting(booking, meaning, channel, accounts.dimensions, zone)
        yield made.on(accounts.clearing, line.amount)
        parts = booking.contained
        if net := line.amount - sum(part.amount for part in parts):
            yield made.on(_account(accounts, meaning, line.tax), -net, line.tax or "", line.tax_rate)
        for part in parts:
            if part.amount:
                yield made.on(_account(accounts, TAX_OF[meaning.group], part.code), -part.amount, part.code, part.rate)


def journal_csv(lines: Iterable[JournalLine], dimensions: Sequence[str] = ()) -> Iterator[str]:
    """The journal as CSV, a piece of text a row, with its header; debit and credit in the currency's decimals.

    `dimensions`: columns beside those that every journal has.
    """
    yield from csv_lines([[*HEADER, *dimensions]])
    yield from csv_lines(_row(line, dimensions) for line in lines)


def contained_in(order: Order | None, line: Transaction, *, apart: bool) -> tuple[Contained, ...]:
    """The taxes in a transaction's amount: in TAX_INCLUDED, as the order gives them.

    `apart`: whether the log has rows of tax for this order; then none is contained. An amount that is only a part of
    what the order line costs, as a parcel's, contains as much of each. Taxes of one code, which have one sum, are told
    apart by what the line has of each.
    """
    meaning = meaning_of(line.type)
    if order is None or apart or order.tax_mode != TAX_INCLUDED or meaning.group not in TAX_OF:
        return ()
    own = next((one for one in order.lines if one.line_id == line.line_id), None)
    if own is None or meaning.part is None:
        return ()
    units = _split_of(order, own, line, meaning.part)
    net, codes = units.pop(NET, 0), list(units)
    weights = [net, *units.values()]
    if not any(weights[1:]) or min(weights) < 0:
        return ()
    sign, shares = (1 if line.amount > 0 else -1), allocate(abs(line.amount), weights)[1:]
    taxes = own.taxes if meaning.part is Part.GOODS else own.shipping_taxes
    return tuple(
        Contained(code, rate, sign * units)
        for code, share in zip(codes, shares, strict=True)
        for rate, units in _by_rate(share, [tax for tax in taxes if tax.code == code], order.currency)
        if units
    )


def _split_of(order: Order, own: OrderLine, line: Transaction, part: Part) -> dict[str, int]:
    """Net amount and taxes by code of what the transaction is: a refund, a cancelation, or what was sold."""
    priced_parts = [split for split in (priced(order, own), sold(order, own)) if split is not None]
    others = [given_back(order, entry) for entry in own.taken if line.refund_id in (None, entry.refund_id)]
    known = [of_part(part, split) for split in ([] if line.refund_id else priced_parts) + others]
    exact = (split for split in known if sum(split.values()) == abs(line.amount))
    return dict(next(exact, known[0] if known else {}))


def _by_rate(units: int, taxes: Sequence[Tax], currency: str) -> Iterator[tuple[Decimal | None, int]]:
    if len(taxes) < 2:
        yield (taxes[0].rate if taxes else None), units
        return
    shares = allocate(units, [minor(tax.amount, currency) for tax in taxes])
    yield from zip((tax.rate for tax in taxes), shares, strict=True)


TAX_OF: Mapping[Group, Meaning] = {
    Group.ORDER: meaning_of("ORDER_AMOUNT_TAX"),
    Group.SHIPPING: meaning_of("ORDER_SHIPPING_AMOUNT_TAX"),
    Group.REFUND: meaning_of("REFUND_ORDER_AMOUNT_TAX"),
    Group.REFUNDED_SHIPPING: meaning_of("REFUND_ORDER_SHIPPING_AMOUNT_TAX"),
}
"""What may contain taxes, and how these would be booked by themselves."""


def _account(accounts: Accounts, meaning: Meaning, tax: str | None) -> str:
    if meaning.group is Group.PAYMENT:
        return accounts.bank
    if meaning.part is not None and meaning.tax and (own := accounts.by_tax.get(tax or "")):
        return own
    return accounts.by_group.get(meaning.group, accounts.suspense)


@dataclass(frozen=True, slots=True)
class _Posting:
    """What all lines of one transaction have in common."""

    booking: Booking
    meaning: Meaning
    channel: str
    dimensions: Mapping[str, str]
    zone: tzinfo

    def on(self, account: str, amount: int, tax: str = "", rate: Decimal | None = None) -> JournalLine:
        line = self.booking.transaction
        return JournalLine(
            transaction=line.id,
            day=line.created_at.astimezone(self.zone).date(),
            account=account,
            amount=amount,
            currency=line.currency,
            text=": ".join(text for text in (line.type, line.label) if text),
            channel=self.channel,
            country=self.booking.country,
            tax=tax,
            tax_rate=rate,
            cycle=line.cycle or "",
            order_id=line.order_id or "",
            document=line.document or line.payment or "",
            dimensions=self.dimensions,
        )


def _row(line: JournalLine, dimensions: Sequence[str]) -> tuple[Cell, ...]:
    amount = major(abs(line.amount), line.currency)
    return (
        line.transaction,
        line.day.isoformat(),
        line.account,
        amount if line.amount > 0 else None,
        amount if line.amount < 0 else None,
        line.currency,
        line.text,
        line.channel,
        line.country,
        line.tax,
        line.tax_rate,
        line.cycle,
        line.order_id,
        line.document,
        *(line.dimensions.get(name) for name in dimensions),
    )
