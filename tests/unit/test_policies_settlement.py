"""What is expected against what the log says: a truthful log differs in nothing, each planted error in itself only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings

from app.domain.money import major
from app.domain.orders import Order
from app.domain.settlement import Cycle, Difference, Document, Kind, Transaction
from app.policies.settlement.charges import charges, types_unknown
from app.policies.settlement.cycles import Sum, carried_over, differences_of_cycle, lines_total
from app.policies.settlement.orders import differences_of_order, unpaid
from app.policies.settlement.terms import Commission, Credited, Terms
from app.policies.settlement.types import MEANINGS, Group, meaning_of
from tests.order_lives import NOW, REFUNDED_AT, SOLD_AT, Life, LineLife, Money, lives, log_of, order_of

TERMS = Terms(Commission(share=Decimal("0.15"), vat=Decimal("0.25")))
DAY = timedelta(days=1)
PLAIN = Life(
    "D-1-A",
    "EUR",
    included=False,
    share=Decimal("0.15"),
    vat=Decimal("0.25"),
    lines=(LineLife(Money(10_000, (2_000,), 500, (100,)), refunds=(Money(3_000, (600,), 0, (0,)),)),),
)
LINE, REFUND = "D-1-A-1", "refund-D-1-A-1-0"


def found(
    log: Sequence[Transaction], order: Order | None = None, terms: Terms = TERMS, **more: object
) -> list[Difference]:
    return differences_of_order("D-1-A", order or order_of(PLAIN), log, terms, NOW, **more)  # type: ignore[arg-type]


def only(log: Sequence[Transaction], order: Order | None = None, terms: Terms = TERMS, **more: object) -> Difference:
    [difference] = found(log, order, terms, **more)
    return difference


def changed(type_: str, amount: int, log: Sequence[Transaction] | None = None) -> list[Transaction]:
    """The plain log with the amount of one row changed."""
    rows = log_of(PLAIN) if log is None else list(log)
    [place] = [n for n, row in enumerate(rows) if row.type == type_]
    rows[place] = replace(rows[place], amount=rows[place].amount + amount)
    return rows


def without(*types: str) -> list[Transaction]:
    return [row for row in log_of(PLAIN) if row.type not in types]


def row(type_: str, amount: int, **members: object) -> Transaction:
    base = Transaction("T-1", type_, amount, "EUR", "PAID", SOLD_AT, SOLD_AT, cycle="C-1", order_id="D-1-A")
    return replace(base, **members)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- orders, by property


@given(lives())
@settings(max_examples=100)
def test_a_truthful_log_differs_in_nothing(life: Life) -> None:
    terms = Terms(Commission(share=life.share, vat=life.vat))
    assert differences_of_order(life.order_id, order_of(life), log_of(life), terms, NOW) == []
    order = order_of(life, tells_commission=False)
    assert differences_of_order(life.order_id, order, log_of(life), terms, NOW) == []


@given(lives())
@settings(max_examples=40)
def test_without_a_contract_the_commission_is_as_the_order_says(life: Life) -> None:
    assert differences_of_order(life.order_id, order_of(life), log_of(life), Terms(), NOW) == []


@given(lives())
@settings(max_examples=50)
def test_a_log_read_in_any_order_and_twice_gives_the_same(life: Life) -> None:
    terms = Terms(Commission(share=life.share * 2, vat=life.vat))
    log = log_of(life)
    forward, backward = (
        differences_of_order(life.order_id, order_of(life), told, terms, NOW) for told in (log, log[::-1])
    )
    assert sorted(forward, key=lambda one: one.key) == sorted(backward, key=lambda one: one.key)
    assert len({one.key for one in forward}) == len(forward)


@given(lives())
@settings(max_examples=40)
def test_one_amount_off_is_one_difference_with_both_figures(life: Life) -> None:
    rows = log_of(life)
    assume(rows)
    terms = Terms(Commission(share=life.share, vat=life.vat))
    for place, off in enumerate(rows):
        if not off.type.endswith(("ORDER_AMOUNT", "SHIPPING_AMOUNT")) or off.type.startswith("OPERATOR"):
            continue
        log = [*rows[:place], replace(off, amount=off.amount + 7), *rows[place + 1 :]]
        [difference] = differences_of_order(life.order_id, order_of(life), log, terms, NOW)
        assert (difference.kind, difference.at_stake, difference.line_id) == (Kind.AMOUNT, 7, off.line_id)
        assert difference.told is not None
        assert str(major(abs(difference.told), life.currency)) in difference.words


@given(lives())
@settings(max_examples=40)
def test_one_commission_off_is_one_difference(life: Life) -> None:
    rows = log_of(life)
    terms = Terms(Commission(share=life.share, vat=life.vat))
    for place, off in enumerate(rows):
        if off.type != "COMMISSION_FEE" or off.refund_id:
            continue
        log = [*rows[:place], replace(off, amount=off.amount - 90), *rows[place + 1 :]]
        every = differences_of_order(life.order_id, order_of(life), log, terms, NOW)
        sales = [one for one in every if "refund" not in one.key]
        assert [(one.kind, one.line_id) for one in sales] == [(Kind.COMMISSION, off.line_id)]


# -------------------------------------------------------------------------------------------------- orders, one by one


def test_equal_taxes_of_one_code_are_compared_together() -> None:
    life = replace(PLAIN, lines=(LineLife(Money(10_000, (625, 100), 0, ())),))
    order = order_of(life)
    assert found(log_of(life), order) == []
    difference = only([row for row in log_of(life) if row.amount != 100], order)
    assert (difference.key, difference.at_stake) == (f"amount:D-1-A:line {LINE}:tax STATE of goods", -100)


def test_taxes_that_the_log_has_within_its_amounts_or_apart_are_both_right() -> None:
    for apart in (True, False):
        life = replace(PLAIN, included=True, apart=apart)
        assert found(log_of(life), order_of(life)) == []


def test_prices_with_taxes_of_which_the_order_tells_none() -> None:
    life = replace(PLAIN, included=True, apart=True)
    order = order_of(life)
    silent = replace(
        order,
        lines=tuple(
            replace(one, taxes=(), shipping_taxes=(), taken=tuple(replace(e, taxes=()) for e in one.taken))
            for one in order.lines
        ),
    )
    assert found(log_of(life), silent) == []
    assert only(changed("ORDER_AMOUNT", 1, log_of(life)), silent).at_stake == 1


@pytest.mark.parametrize("taken_back", [True, False])
def test_taxes_that_the_operator_remits_are_not_missed(taken_back: bool) -> None:
    life = replace(PLAIN, remitted=True)
    log = log_of(life)
    if not taken_back:  # never booked for the shop
        log = [row for row in log if row.type.startswith("OPERATOR") or not row.type.endswith("_TAX")]
    assert found(log, order_of(life)) == []
    one = next(row for row in log if row.type == "OPERATOR_REMITTED_ORDER_AMOUNT_TAX")
    less = [replace(row, amount=-1_500) if row is one else row for row in log]
    assert only(less, order_of(life)).line_id == LINE


def test_shipping_that_the_operator_pays_is_not_missed() -> None:
    shipping = ("ORDER_SHIPPING_AMOUNT", "ORDER_SHIPPING_AMOUNT_TAX")
    kept = [
        replace(row, id=f"{row.id}k", type=f"OPERATOR_PAID_{row.type}", amount=-row.amount)
        for row in log_of(PLAIN)
        if row.type in shipping
    ]
    assert found([*log_of(PLAIN), *kept]) == []
    assert found([*without(*shipping), *kept]) == []


def test_a_part_that_is_missing_and_a_line_that_is_missing_are_one_difference_each() -> None:
    assert only(without("ORDER_SHIPPING_AMOUNT")).at_stake == -500
    two = replace(PLAIN, lines=(PLAIN.lines[0], LineLife(Money(4_000, (800,)))))
    log = [row for row in log_of(two) if row.line_id == LINE]
    difference = only(log, order_of(two))
    assert (difference.kind, difference.line_id, difference.expected) == (Kind.AMOUNT, "D-1-A-2", 4_800)


def test_what_is_half_arrived_is_no_difference_yet() -> None:
    half, order = (
        [row for row in log_of(PLAIN) if row.type == "ORDER_AMOUNT"],
        order_of(replace(PLAIN, lines=(LineLife(PLAIN.lines[0].cost),))),
    )
    at_once = differences_of_order("D-1-A", order, half, TERMS, SOLD_AT + DAY / 2)
    later = differences_of_order("D-1-A", order, half, TERMS, SOLD_AT + DAY)
    assert at_once == []
    assert {one.kind for one in later} == {Kind.AMOUNT, Kind.COMMISSION}


def test_parcels_that_are_debited_one_by_one_fill_the_log() -> None:
    life = replace(PLAIN, lines=(LineLife(PLAIN.lines[0].cost),))
    order = replace(order_of(life), workflow="PAY_ON_SHIPMENT", state="SHIPPING")
    half = [replace(row, amount=row.amount // 2) for row in log_of(life)]
    assert found(half, order) == []
    assert found(half, replace(order, state="SHIPPED"))
    assert only(changed("ORDER_AMOUNT", 1, log_of(life)), order).kind is Kind.AMOUNT


def test_a_refused_line_costs_nothing() -> None:
    life = replace(PLAIN, lines=(LineLife(PLAIN.lines[0].cost, refused=True),))
    assert found([], order_of(life)) == []
    difference = only([row("ORDER_AMOUNT", 10_000, line_id=LINE)], order_of(life))
    assert (difference.expected, difference.told) == (0, 10_000)


def test_the_commission_of_a_category_its_minimum_and_one_that_is_not_stored() -> None:
    contract = Commission(Decimal("0.15"), {"M-KNIT": Decimal("0.1")}, minimum=Decimal(5), vat=Decimal("0.25"))
    terms, order = Terms(contract), order_of(PLAIN, tells_commission=False)
    assert found(log_of(PLAIN), order, terms) == []  # facts that were stored before categories were
    knit = replace(order, lines=(replace(order.lines[0], category="M-KNIT"),))
    difference = only(log_of(PLAIN), knit, terms)
    assert (difference.kind, difference.expected, difference.told) == (Kind.COMMISSION, -1_313, -1_969)
    assert "by contract -10.50 EUR and -2.63 EUR of tax, the log has -15.75 EUR and -3.94 EUR" in difference.words
    small = replace(PLAIN, lines=(LineLife(Money(1_000)),))
    fees = [
        replace(row, amount={"COMMISSION_FEE": -500, "COMMISSION_VAT": -125}.get(row.type, row.amount))
        for row in log_of(small)
    ]
    assert found(fees, order_of(small, tells_commission=False), Terms(replace(contract, by_category={}))) == []


def test_a_commission_that_the_order_says_otherwise_is_wrong_only_where_no_contract_says_it() -> None:
    """The order may be read before the operator corrected it; what is paid is the log's."""
    order = order_of(PLAIN)
    other = replace(order, lines=(replace(order.lines[0], commission=Decimal("30.00")),))
    assert found(log_of(PLAIN), other) == []
    difference = only(log_of(PLAIN), other, Terms(Commission()))
    assert (difference.expected, difference.told) == (-3_000, -1_969)


def test_a_wrong_commission_is_one_difference_though_its_refund_follows_it() -> None:
    doubled = [replace(row, amount=row.amount * 2) if "COMMISSION" in row.type else row for row in log_of(PLAIN)]
    difference = only(doubled)
    assert (difference.kind, difference.key) == (Kind.COMMISSION, f"commission:D-1-A:line {LINE}")


def test_the_tax_of_a_commission() -> None:
    assert only(changed("COMMISSION_VAT", -2)).at_stake == -2
    assert found(changed("COMMISSION_VAT", -1)) == []  # rounding
    free = Terms(Commission(share=Decimal("0.15")))
    assert found(changed("COMMISSION_VAT", -200), order_of(PLAIN, tells_commission=False), free)[0].key.endswith(REFUND)


def test_a_refund_that_gives_no_commission_back() -> None:
    log = without("REFUND_COMMISSION_FEE", "REFUND_COMMISSION_VAT")
    difference = only(log)
    assert (difference.kind, difference.at_stake) == (Kind.COMMISSION, -(450 + 113))
    kept = Terms(replace(TERMS.commission, refunded=False))
    assert found(log, terms=kept) == []
    assert only(log_of(PLAIN), terms=kept).key == f"commission:D-1-A:{REFUND}"


# ------------------------------------------------------------------------------------------------------------ refunds


def test_a_refund_of_another_amount() -> None:
    difference = only(changed("REFUND_ORDER_AMOUNT", -10))
    assert difference.key == f"amount:D-1-A:{REFUND}:goods"
    assert "the order gives back 30.00 EUR, the log 30.10 EUR" in difference.words


def test_a_refund_that_is_not_in_the_log_after_its_time() -> None:
    log = [row for row in log_of(PLAIN) if not row.refund_id]
    early = differences_of_order("D-1-A", order_of(PLAIN), log, TERMS, REFUNDED_AT + 6 * DAY)
    assert early == []
    difference = only(log)
    assert (difference.kind, difference.expected, difference.told) == (Kind.REFUND_MISSING, -3_600, 0)


def test_a_refund_that_the_order_does_not_show() -> None:
    log = [replace(row, refund_id="R-9") if row.refund_id else row for row in log_of(PLAIN)]
    kinds = {one.key: one.kind for one in found(log)}
    assert kinds == {
        "order_unknown:D-1-A:R-9": Kind.ORDER_UNKNOWN,
        f"refund_missing:D-1-A:{REFUND}": Kind.REFUND_MISSING,
    }


def test_what_centra_credits_meets_its_refund_by_the_stored_ids() -> None:
    credit = Credited("return 501", REFUNDED_AT, 3_600, (REFUND,))
    assert found(log_of(PLAIN), credited=[credit]) == []
    assert found(log_of(PLAIN), credited=[replace(credit, amount=3_602)]) == []  # Centra's rounding, a unit and one
    less = only(log_of(PLAIN), credited=[replace(credit, amount=3_000)])
    assert (less.kind, less.key, less.at_stake) == (Kind.AMOUNT, "amount:D-1-A:return 501", -600)


def test_a_credit_without_a_refund_and_a_refund_without_a_credit() -> None:
    bare = order_of(replace(PLAIN, lines=(LineLife(PLAIN.lines[0].cost),)))
    log = [row for row in log_of(PLAIN) if not row.refund_id]
    for ids in ((), ("58121",)):
        difference = only(log, bare, credited=[Credited("return 501", REFUNDED_AT, 3_600, ids)])
        assert (difference.kind, difference.expected) == (Kind.REFUND_MISSING, -3_600)
    difference = only(log_of(PLAIN), credited=[])
    assert (difference.kind, difference.told) == (Kind.ORDER_UNKNOWN, -3_600)
    assert "has no credit in Centra" in difference.words


# ----------------------------------------------------------------------------------------------------- what is unknown


def test_an_order_a_line_and_a_currency_that_nobody_has() -> None:
    difference = differences_of_order("D-1-A", None, log_of(PLAIN), TERMS, NOW)
    assert [one.kind for one in difference] == [Kind.ORDER_UNKNOWN]
    assert differences_of_order("D-1-A", None, log_of(PLAIN), TERMS, REFUNDED_AT + DAY / 2) == []
    [early] = differences_of_order("D-1-A", None, log_of(PLAIN), replace(TERMS, since=SOLD_AT + DAY), NOW)
    assert early.explained == "sold before this service read the marketplace's orders"

    strange = only([*log_of(PLAIN), row("ORDER_AMOUNT", 999, line_id="D-1-A-9")])
    assert (strange.kind, strange.line_id, strange.told) == (Kind.ORDER_UNKNOWN, "D-1-A-9", 999)
    other = only([*log_of(PLAIN), row("ORDER_AMOUNT", 999, currency="SEK", line_id=LINE)])
    assert (other.kind, other.currency) == (Kind.AMOUNT, "SEK")


def test_a_log_that_does_not_name_order_lines() -> None:
    two = replace(PLAIN, lines=(PLAIN.lines[0], LineLife(Money(4_000, (800,)))))
    log = [replace(row, line_id=None) for row in log_of(two)]
    assert found(log, order_of(two)) == []
    off = [replace(one, amount=one.amount + 5) if one is log[0] else one for one in log]
    assert only(off, order_of(two)).key == "amount:D-1-A:all lines:goods"


def test_a_type_that_nobody_knows_is_shown() -> None:
    difference = only([*log_of(PLAIN), row("ECO_BONUS", 250, label="spring")])
    assert (difference.kind, difference.told) == (Kind.TYPE_UNKNOWN, 250)
    assert difference.words == "2.50 EUR of type ECO_BONUS, which is not known here: spring"
    assert list(types_unknown(log_of(PLAIN))) == []


# ------------------------------------------------------------------------------------------------------------- charges


def test_a_penalty_is_one_difference_with_its_tax() -> None:
    penalty = [
        row("SELLER_PENALTY_FEE", -1_000, label="late"),
        row("SELLER_PENALTY_FEE_TAX", -250, id="T-0", label="late"),
    ]
    for log in (penalty, penalty[::-1]):
        difference = only([*log_of(PLAIN), *log])
        assert (difference.key, difference.told, difference.kind) == ("charge:T-1", -1_250, Kind.CHARGE)
        assert difference.words == "penalty of -12.50 EUR: late"


def test_every_charge_waits_for_a_person_and_says_what_it_is() -> None:
    documents = {"INV-7": Document("7", "INV-7", "MANUAL_CREDIT", "EUR", SOLD_AT, 2_995, 2_995, label="lost parcel")}
    lines = [
        row("MANUAL_CREDIT", 2_995, id="T-1", order_id=None, document="INV-7"),
        row("MANUAL_INVOICE", 400, id="T-2", order_id=None),
        row("INVOICEABLE_ONE_OFF_DEBIT", -100, id="T-3", order_id=None),
        row("INVOICEABLE_ONE_OFF_CREDIT", 100, id="T-4", order_id=None),
        row("SUBSCRIPTION_FEE", -3_900, id="T-5", order_id=None),
        row("SUBSCRIPTION_VAT", -975, id="T-6", order_id=None),
    ]
    words = {one.key: one.words for one in charges(lines, TERMS, documents)}
    assert words == {
        "charge:T-1": "manual credit of 29.95 EUR on document INV-7: lost parcel",
        "charge:T-2": "manual invoice of 4.00 EUR, against its usual sign",
        "charge:T-3": "one-off debit of -1.00 EUR",
        "charge:T-4": "one-off credit of 1.00 EUR",
        "charge:T-5": "subscription of -48.75 EUR",
    }


def test_what_the_contract_names_is_explained() -> None:
    terms = replace(TERMS, subscription=Decimal("39.00"), order_fee=Decimal("0.50"))
    lines = [
        row("SUBSCRIPTION_FEE", -3_900),
        row("SELLER_FEE_ON_ORDER", -50, id="T-2"),
        row("SELLER_FEE_ON_ORDER", -51, id="T-3"),
    ]
    assert {one.key: one.explained for one in charges(lines, terms)} == {
        "charge:T-1": "the contract's",
        "charge:T-2": "the contract's",
        "charge:T-3": None,
    }


def test_a_dropship_purchase_is_explained_and_kept() -> None:
    lines = [row("PURCHASE_COMMISSION_FEE", -300), row("PURCHASE_ORDER_AMOUNT_TAX", 200, id="T-2")]
    [difference] = charges(lines, TERMS)
    assert (difference.told, bool(difference.explained)) == (-100, True)


# -------------------------------------------------------------------------------------------------------------- unpaid


def test_shipped_and_in_no_cycle_ages_from_dispatch() -> None:
    waiting, order = log_of(PLAIN, cycle=None), order_of(PLAIN)
    shipped_at = SOLD_AT + 3 * DAY
    told = unpaid(order, waiting, shipped_at)
    assert told is not None
    assert (told.amount, told.since) == (sum(row.amount for row in waiting), shipped_at)
    late = differences_of_order("D-1-A", order, waiting, TERMS, shipped_at + 21 * DAY, shipped_at=shipped_at)
    assert [(one.kind, one.told, one.expected) for one in late] == [(Kind.UNPAID, 0, told.amount)]
    assert differences_of_order("D-1-A", order, waiting, TERMS, shipped_at + 20 * DAY, shipped_at=shipped_at) == []
    assert unpaid(replace(order, state="SHIPPING"), waiting) is None
    assert unpaid(replace(order, debited_at=None), waiting) is None
    assert unpaid(order, log_of(PLAIN)) is None


def test_an_order_of_which_the_log_has_nothing_is_unpaid_and_nothing_else() -> None:
    difference = only([], order_of(replace(PLAIN, lines=(LineLife(PLAIN.lines[0].cost),))))
    assert (difference.kind, difference.expected) == (Kind.UNPAID, 12_600)
    assert "not in the log" in difference.words


def test_a_refund_that_waits_for_the_next_cycle_is_not_unpaid() -> None:
    log = [replace(row, cycle=None, state="PAYABLE") if row.refund_id else row for row in log_of(PLAIN)]
    assert unpaid(order_of(PLAIN), log) is None
    assert found(log) == []


# -------------------------------------------------------------------------------------------------------------- cycles

CYCLE = Cycle(
    "C-1",
    "EUR",
    SOLD_AT,
    "PAID",
    78_495,
    totals={"total_other_credits_incl_tax": 2_995, "total_seller_penalty_fees_incl_tax": 1_000},
)
SUMS = [
    Sum("ORDER_AMOUNT", "PAID", 90_000, 9),
    Sum("COMMISSION_FEE", "PAID", -13_500, 9),
    Sum("MANUAL_CREDIT", "PAID", 2_995, 1),
    Sum("SELLER_PENALTY_FEE", "PAID", -1_000, 1),
    Sum("PAYMENT", "PAID", -78_495, 1),
]
"""Field case 63."""


def of_cycle(cycle: Cycle = CYCLE, sums: Sequence[Sum] = SUMS, carried: int = 0) -> list[tuple[Kind, str, int | None]]:
    return [(one.kind, one.key, one.at_stake) for one in differences_of_cycle(cycle, sums, TERMS, NOW, carried=carried)]


def test_a_pay_out_is_the_sum_of_its_lines() -> None:
    assert of_cycle() == []
    bonus = [*SUMS, Sum("ECO_BONUS", "PAID", 1, 1)]
    assert of_cycle(sums=bonus) == [(Kind.PAYOUT_SUM, "payout_sum:C-1", -1)]
    assert of_cycle(sums=[*SUMS, Sum("ORDER_AMOUNT", "NOT_APPLICABLE", 500, 1)]) == []
    reserve = [*SUMS[:-1], Sum("RESERVE_FUNDING", "RESERVE", -8_495, 1), Sum("RESERVE_SETTLEMENT", "PAID", 8_495, 1)]
    assert of_cycle(sums=reserve) == []


def test_a_pay_out_that_is_one_cent_off() -> None:
    sums = [*SUMS[:-1], Sum("PAYMENT", "PAID", -78_494, 1)]
    assert of_cycle(replace(CYCLE, paid=78_494), sums) == [(Kind.PAYOUT_SUM, "payout_sum:C-1", -1)]
    assert of_cycle(sums=sums) == [(Kind.PAYOUT_SUM, "payout_sum:C-1:payment", -1)]


def test_the_summary_hides_no_credit() -> None:
    totals = {"total_other_credits_incl_tax": 0, "total_other_credits_excl_tax": 0}
    assert of_cycle(replace(CYCLE, totals=totals)) == [
        (Kind.PAYOUT_SUM, "payout_sum:C-1:total_other_credits_incl_tax", -2_995)
    ]


def test_lines_that_are_still_read_are_no_difference() -> None:
    assert differences_of_cycle(CYCLE, [], TERMS, SOLD_AT + DAY / 2) == []
    assert differences_of_cycle(CYCLE, [], TERMS, SOLD_AT + DAY)


def test_a_pay_out_that_failed_and_one_that_is_late() -> None:
    failed = replace(CYCLE, state="FAILED", failure="INCOMPLETE_KYC")
    [difference] = differences_of_cycle(failed, SUMS[:-1], TERMS, SOLD_AT)
    assert (difference.kind, difference.at_stake) == (Kind.PAYOUT_FAILED, -78_495)
    assert difference.words == "cycle C-1: the pay-out of 784.95 EUR failed: INCOMPLETE_KYC"
    waiting = replace(CYCLE, state="TO_PAY")
    assert differences_of_cycle(waiting, SUMS[:-1], TERMS, SOLD_AT + 4 * DAY) == []
    assert [one.kind for one in differences_of_cycle(waiting, SUMS[:-1], TERMS, SOLD_AT + 5 * DAY)] == [
        Kind.PAYOUT_LATE
    ]


def test_what_is_below_zero_is_carried_over() -> None:
    refunds_only = [Sum("REFUND_ORDER_AMOUNT", "PAID", -5_000, 1)]
    assert of_cycle(replace(CYCLE, paid=0, totals={}), refunds_only) == []
    carried = carried_over([20_000, lines_total(refunds_only), 1_000])
    assert carried == -4_000
    assert of_cycle(replace(CYCLE, paid=74_495), SUMS[:-1], carried) == []
    assert of_cycle(CYCLE, SUMS[:-1], carried) == [(Kind.PAYOUT_SUM, "payout_sum:C-1", 4_000)]
    assert carried_over([-5_000, 6_000, 10]) == 0


# --------------------------------------------------------------------------------------------------------------- types


def test_every_meaning_follows_from_its_name() -> None:
    assert {meaning.group for meaning in MEANINGS.values()} == set(Group) - {Group.UNKNOWN}
    for type_, meaning in MEANINGS.items():
        assert meaning.tax == type_.endswith(("_TAX", "_VAT")), type_
        assert meaning.refund == ("REFUND_" in type_), type_
        assert meaning.by_operator == type_.startswith("OPERATOR_"), type_
        assert bool(meaning.sign) != meaning.by_operator, type_
        assert not (meaning.is_charge and meaning.of_line), type_
    assert meaning_of("ECO_BONUS").group is Group.UNKNOWN
