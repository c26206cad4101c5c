"""The journal balances whatever happened; a month end has one cut-off; CSV is safe to open."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.money import minor
from app.domain.settlement import Transaction
from app.policies.csv_text import csv_lines
from app.policies.settlement.journal import HEADER, Accounts, Booking, Contained, contained_in, journal, journal_csv
from app.policies.settlement.report import Period, TaxedBy, Totalled, month, month_end, refunds
from app.policies.settlement.types import MEANINGS, Group
from tests.faults.every import by_command
from tests.order_lives import DECIMALS, SOLD_AT, Life, LineLife, Money, lives, log_of, order_of

PARIS = ZoneInfo("Europe/Paris")
ACCOUNTS = Accounts(
    clearing="4110",
    bank="5120",
    suspense="4710",
    by_group={Group.ORDER: "7070", Group.ORDER_TAX: "4457", Group.COMMISSION: "6222"},
    by_tax={"STATE": "44571"},
    dimensions={"cost_centre": "online"},
)
CHARGES = [type_ for type_, meaning in MEANINGS.items() if not meaning.of_line and type_ != "PAYMENT"]
OTHER_TYPES = [*CHARGES, "PURCHASE_COMMISSION_FEE", "OPERATOR_PAID_ORDER_SHIPPING_AMOUNT", "ECO_BONUS"]


def row(type_: str, amount: int, **members: object) -> Transaction:
    base = Transaction("T-1", type_, amount, "EUR", "PAID", SOLD_AT, SOLD_AT, cycle="C-1")
    return replace(base, **members)  # type: ignore[arg-type]


def lines_of(*transactions: Transaction, **contained: tuple[Contained, ...]) -> list[tuple[str, int]]:
    """Accounts and amounts of the journal."""
    bookings = (Booking(one, contained=contained.get("contained", ())) for one in transactions)
    return [(line.account, line.amount) for line in journal(bookings, ACCOUNTS, "demo-fr", PARIS)]


# ---------------------------------------------------------------------------------------------------------- property


@st.composite
def cycles(draw: st.DrawFn) -> list[Booking]:
    """One billing cycle in one currency: order lives, whatever else is charged, and the payment of all of it."""
    orders = [draw(lives(f"D-{number}-A")) for number in range(draw(st.integers(0, 2)))]
    currency = draw(st.sampled_from(sorted(DECIMALS)))
    bookings = [booking for life in orders for booking in bookings_of(replace(life, currency=currency))]
    charged = st.tuples(st.sampled_from(OTHER_TYPES), st.integers(-9_000, 9_000), st.sampled_from(["PAID", "RESERVE"]))
    for number, (type_, amount, state) in enumerate(draw(st.lists(charged, max_size=4))):
        bookings.append(Booking(row(type_, amount, id=f"X-{number}", currency=currency, state=state)))
    paid = sum(booking.transaction.amount for booking in bookings)
    return [*bookings, Booking(row("PAYMENT", -paid, id="P-1", currency=currency, payment="PO-1"))]


def bookings_of(life: Life) -> Iterator[Booking]:
    order = order_of(life)
    for line in log_of(life):
        yield Booking(line, "FR", contained_in(order, line, apart=life.apart))


def _balances(cycle: list[Booking]) -> None:
    lines = list(journal(cycle, ACCOUNTS, "demo-fr", PARIS))
    assert sum(line.amount for line in lines) == 0
    assert sum(line.amount for line in lines if line.account == ACCOUNTS.clearing) == 0  # it was paid in full
    by_transaction = Counter[str]()
    for line in lines:
        by_transaction[line.transaction] += line.amount
    assert set(by_transaction.values()) <= {0}
    assert set(by_transaction) == {one.transaction.id for one in cycle if one.transaction.amount}
    text = "".join(journal_csv(lines))
    assert text == "".join(journal_csv(journal(cycle, ACCOUNTS, "demo-fr", PARIS)))
    rows = list(csv.DictReader(StringIO(text, newline="")))
    debit, credit = (sum((Decimal(one[side]) for one in rows if one[side]), Decimal(0)) for side in ("debit", "credit"))
    assert debit == credit
    assert minor(debit, cycle[0].transaction.currency) == sum(max(0, line.amount) for line in lines)


@given(cycles())
@settings(max_examples=200)
def test_the_journal_of_a_cycle_balances_to_zero(cycle: list[Booking]) -> None:
    _balances(cycle)


@by_command
@pytest.mark.timeout(1800)
@given(cycles())
@settings(max_examples=10_000)
def test_the_journal_of_10_000_cycles_balances_to_zero(cycle: list[Booking]) -> None:
    _balances(cycle)


@given(lives())
@settings(max_examples=60)
def test_taxes_in_an_amount_are_those_of_the_order_to_the_minor_unit(life: Life) -> None:
    lines = (replace(line, taken_back=() if line.cancelled else line.taken_back) for line in life.lines)
    inside = replace(life, lines=tuple(lines), included=True, apart=False, remitted=False)
    contained, apart = (_taxes(replace(inside, apart=how)) for how in (False, True))
    by_code = {code: units for code, units in _by_code(inside).items() if units}
    assert {code: units for code, units in contained.items() if units} == by_code
    assert {code: units for code, units in apart.items() if units} == by_code


def _taxes(life: Life) -> Counter[str]:
    found = Counter[str]()
    for booking in bookings_of(life):
        if booking.transaction.type.endswith("_TAX"):
            found[booking.transaction.tax or ""] += booking.transaction.amount
        for tax in booking.contained:
            found[tax.code] += tax.amount
    return found


def _by_code(life: Life) -> Counter[str]:
    found = Counter[str]()
    for line in log_of(replace(life, apart=True)):
        if line.type.endswith("_TAX"):
            found[line.tax or ""] += line.amount
    return found


# ----------------------------------------------------------------------------------------------------------- examples


def test_each_group_posts_to_its_account_against_clearing() -> None:
    assert lines_of(row("ORDER_AMOUNT", 17_800)) == [("4110", 17_800), ("7070", -17_800)]
    assert lines_of(row("COMMISSION_FEE", -2_729)) == [("4110", -2_729), ("6222", 2_729)]
    assert lines_of(row("ORDER_AMOUNT_TAX", 3_560, tax="STATE")) == [("4110", 3_560), ("44571", -3_560)]
    assert lines_of(row("ORDER_AMOUNT_TAX", 3_560, tax="CITY")) == [("4110", 3_560), ("4457", -3_560)]
    assert lines_of(row("ECO_BONUS", 5), row("SELLER_PENALTY_FEE", -5)) == [
        ("4110", 5),
        ("4710", -5),
        ("4110", -5),
        ("4710", 5),
    ]
    assert lines_of(row("PAYMENT", -15_071)) == [("4110", -15_071), ("5120", 15_071)]


def test_what_goes_through_no_pay_out_and_what_is_nothing_post_nothing() -> None:
    assert lines_of(row("ORDER_AMOUNT", 100, state="NOT_APPLICABLE"), row("ORDER_AMOUNT", 0)) == []


def test_taxes_in_an_amount_are_posted_by_themselves() -> None:
    contained = (Contained("STATE", Decimal(20), 2_000), Contained("CITY", None, 100))
    assert lines_of(row("ORDER_AMOUNT", 12_100), contained=contained) == [
        ("4110", 12_100),
        ("7070", -10_000),
        ("44571", -2_000),
        ("4457", -100),
    ]


def test_a_pay_out_that_is_one_cent_off_stays_on_the_clearing_account() -> None:
    lines = lines_of(row("ORDER_AMOUNT", 10_000), row("PAYMENT", -9_999))
    assert sum(amount for account, amount in lines if account == "4110") == 1


def test_a_journal_line_bears_its_dimensions_and_its_day_in_the_zone() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    booked = row("ORDER_AMOUNT_TAX", 100, tax="STATE", tax_rate=Decimal("20.0"), order_id="D-1-A", created_at=late)
    text = "".join(journal_csv(journal([Booking(booked, "FR")], ACCOUNTS, "demo-fr", PARIS), ["cost_centre"]))
    header, clearing, tax = text.split("\r\n")[:3]
    assert header.split(",") == [*HEADER, "cost_centre"]
    assert clearing == "T-1,2026-04-01,4110,1.00,,EUR,ORDER_AMOUNT_TAX,demo-fr,FR,,,C-1,D-1-A,,online"
    assert tax == "T-1,2026-04-01,44571,,1.00,EUR,ORDER_AMOUNT_TAX,demo-fr,FR,STATE,20.0,C-1,D-1-A,,online"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_is_a_formula(begin: str) -> None:
    label = f'{begin}HYPERLINK("x")'
    [line] = csv_lines([(label, "plain", Decimal("-1.50"), -3, None, Decimal("1E+3"))])
    assert next(csv.reader(StringIO(line, newline=""))) == [f"'{label}", "plain", "-1.50", "-3", "", "1000"]


@given(st.lists(st.lists(st.text("a,;=+-@\"'\t\r\n é"), min_size=2, max_size=4), max_size=5))
@settings(max_examples=60)
def test_csv_gives_every_text_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(StringIO("".join(csv_lines(rows)), newline="")))
    assert [[cell.removeprefix("'") for cell in one] for one in read] == [
        [cell.removeprefix("'") for cell in one] for one in rows
    ]


# ---------------------------------------------------------------------------------------------------------- month end

MARCH = month("2026-03", PARIS)


def test_a_month_begins_and_ends_at_midnight_of_its_zone_over_the_clock_change() -> None:
    assert (
        Period("2026-03", PARIS, datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)) == MARCH
    )
    assert MARCH.end - MARCH.start == timedelta(days=31) - timedelta(hours=1)
    october = month("2026-10", PARIS)
    assert october.end - october.start == timedelta(days=31) + timedelta(hours=1)
    assert month("2026-12", ZoneInfo("UTC")).end == datetime(2027, 1, 1, tzinfo=UTC)
    for wrong in ("2026-13", "March", ""):
        with pytest.raises(ValueError, match="write it as 2026-03"):
            month(wrong, PARIS)


@given(st.integers(0, 60 * 24 * 62))
@settings(max_examples=60)
def test_every_instant_is_in_exactly_one_month_that_of_its_day(minutes: int) -> None:
    at = datetime(2026, 2, 15, tzinfo=UTC) + timedelta(minutes=minutes)
    months = [name for name in ("2026-02", "2026-03", "2026-04") if month(name, PARIS).holds(at)]
    assert months == [f"{at.astimezone(PARIS):%Y-%m}"]


def test_a_month_end_counts_what_was_booked_in_it() -> None:
    sold = replace(row("ORDER_AMOUNT", 12_000), cycle=None, state="PENDING", order_id="D-1-A")
    lines = [
        Booking(sold, "FR", (Contained("VAT", Decimal(20), 2_000),)),
        Booking(row("REFUND_ORDER_AMOUNT", -6_000), "FR", (Contained("VAT", Decimal(20), -1_000),)),
        Booking(row("ORDER_AMOUNT_TAX", 300, tax="VAT", tax_rate=Decimal(20)), "DE"),
        Booking(row("OPERATOR_REMITTED_ORDER_AMOUNT_TAX", -300, tax="VAT", tax_rate=Decimal(20)), "DE"),
        Booking(row("ECO_BONUS", 7)),
        Booking(row("COMMISSION_VAT", -9, tax="TAXDEFAULT", currency="SEK")),
        Booking(row("ORDER_AMOUNT", 5, created_at=MARCH.end)),
    ]
    told = month_end(lines, MARCH)
    assert told.groups[Group.ORDER, "EUR"] == Totalled(1, 12_000)
    assert told.groups[Group.COMMISSION_TAX, "SEK"] == Totalled(1, -9)
    assert told.unknown_types == {("ECO_BONUS", "EUR"): Totalled(1, 7)}
    assert told.not_in_a_cycle == {"EUR": Totalled(1, 12_000)}
    assert told.taxes == {
        TaxedBy("FR", "VAT", Decimal(20), "EUR", False): (2_000, -1_000),
        TaxedBy("DE", "VAT", Decimal(20), "EUR", False): (300, 0),
        TaxedBy("DE", "VAT", Decimal(20), "EUR", True): (-300, 0),
    }
    assert sum(total.amount for total in told.groups.values()) == sum(one.transaction.amount for one in lines[:-1])


def test_refunds_are_listed_with_what_they_took() -> None:
    life = Life(
        "D-1-A",
        "EUR",
        included=True,
        share=Decimal("0.15"),
        vat=Decimal("0.25"),
        lines=(
            LineLife(
                Money(10_000, (2_000,), 500, (100,)),
                refunds=(Money(3_000, (600,), 500, (100,)), Money(50)),
            ),
        ),
    )
    for apart in (True, False):
        told = list(refunds(_by_refund(bookings_of(replace(life, apart=apart)))))
        assert [(one.refund_id, one.goods, one.shipping, one.taxes, one.commission) for one in told] == [
            ("refund-D-1-A-1-0", -3_000, -500, -700, 630 + 158),
            ("refund-D-1-A-1-1", -50, 0, 0, 8 + 2),
        ]


def _by_refund(bookings: Iterable[Booking]) -> list[Booking]:
    return sorted(bookings, key=lambda one: (one.transaction.order_id or "", one.transaction.refund_id or ""))


def test_a_day_is_that_of_the_zone_in_summer_and_winter() -> None:
    at = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    days = [
        next(journal([Booking(row("ORDER_AMOUNT", 1, created_at=at + timedelta(days=n)))], ACCOUNTS, "c", PARIS)).day
        for n in (0, 1)
    ]
    assert days == [date(2026, 3, 29), date(2026, 3, 30)]
