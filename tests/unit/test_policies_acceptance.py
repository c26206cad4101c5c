"""Which lines are accepted: business rule 11 by value, and what must hold whatever is in stock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine, Tax
from app.policies.acceptance import (
    Accept,
    AcceptancePolicy,
    Choice,
    Decision,
    HoldOrder,
    Stock,
    decide,
    price_guard,
    whole,
)

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
SHIRT, BELT = Sku("VX-100-M"), Sku("BELT-32")
REFUSE = AcceptancePolicy()


def line(number: int, quantity: int = 1, sku: Sku = SHIRT, *, state: str = "WAITING_ACCEPTANCE") -> OrderLine:
    price = Decimal("59.90")
    return OrderLine(OrderLineId(f"D-1-A-{number}"), sku, quantity, price, price * quantity, state=state, index=number)


def order(*lines: OrderLine) -> Order:
    return Order(OrderId("D-1-A"), "D-1", "WAITING_ACCEPTANCE", AT, AT, "EUR", lines)


def answers(decision: Decision) -> list[bool]:
    assert isinstance(decision, Accept), decision
    return list(decision.lines.values())


def reason(decision: Decision) -> str:
    assert isinstance(decision, HoldOrder), decision
    return decision.reason


# ----------------------------------------------------------------------------------------------- business rule 11


@pytest.mark.parametrize(
    ("free", "reserved", "quantity", "accepted"),
    [(3, 0, 3, True), (3, 0, 4, False), (3, 1, 2, True), (3, 2, 2, False), (0, 0, 1, False), (-2, 0, 1, False)],
)
def test_a_line_is_accepted_when_stock_less_earlier_promises_covers_it(
    free: int, reserved: int, quantity: int, accepted: bool
) -> None:
    assert answers(decide(order(line(1, quantity)), {SHIRT: Stock(free, reserved)}, REFUSE)) == [accepted]


def test_lines_of_one_sku_are_counted_in_the_marketplaces_order() -> None:
    decision = decide(order(line(2, 2), line(1, 2), line(3, 1, BELT)), {SHIRT: Stock(3), BELT: Stock(1)}, REFUSE)
    assert isinstance(decision, Accept)
    assert decision.lines == {"D-1-A-1": True, "D-1-A-2": False, "D-1-A-3": True}
    assert decision.short == {"D-1-A-2"}
    assert decision.mixed
    assert decision.steps == (
        "line D-1-A-1, VX-100-M: free 3, reserved before 0, earlier lines 0, this line 2: 1 left, covered",
        "line D-1-A-2, VX-100-M: free 3, reserved before 0, earlier lines 2, this line 2: -1 left, short",
        "line D-1-A-3, BELT-32: free 1, reserved before 0, earlier lines 0, this line 1: 0 left, covered",
    )


def test_an_earlier_line_counts_even_when_it_is_short_itself() -> None:
    assert answers(decide(order(line(1, 4), line(2, 1)), {SHIRT: Stock(3)}, REFUSE)) == [False, False]


@pytest.mark.parametrize(
    ("stock", "words"),
    [
        ({}, "VX-100-M: its stock was not read"),
        ({SHIRT: Stock(None)}, "VX-100-M: Centra gave no stock figure"),
        ({SHIRT: Stock(0, problem="no size in Centra has this SKU")}, "VX-100-M: no size in Centra has this SKU"),
    ],
)
@pytest.mark.parametrize("short", get_args(Choice))
def test_what_fails_on_our_side_holds_and_never_refuses(stock: Mapping[Sku, Stock], words: str, short: Choice) -> None:
    policy = AcceptancePolicy(short=short, partial="refuse")
    assert reason(decide(order(line(1, 1, BELT), line(2)), {BELT: Stock(0), **stock}, policy)) == words


def test_only_lines_that_wait_are_decided() -> None:
    lines = (line(1, state="REFUSED"), line(2, state="CANCELED"), line(3, state="STAGING"), line(4), line(5, 0))
    decision = decide(order(*lines), {SHIRT: Stock(2)}, REFUSE)
    assert isinstance(decision, Accept)
    assert decision.lines == {"D-1-A-3": True, "D-1-A-4": True}
    decided = order(line(1, state="SHIPPING"), line(2, state="READY_TO_FLY"))
    assert reason(decide(decided, {}, REFUSE)) == "no line of the order waits for a decision"


# ------------------------------------------------------------------------------------------- policies, field case 42

TWO = order(line(1, 1), line(2, 1, BELT))
ONE_SHORT = {SHIRT: Stock(1), BELT: Stock(0)}


@pytest.mark.parametrize(
    ("short", "expected"),
    [("refuse", [True, False]), ("accept", [True, True]), ("hold", "1 of 2 lines is short of stock")],
)
def test_a_channel_says_what_becomes_of_a_short_line(short: Choice, expected: list[bool] | str) -> None:
    decision = decide(TWO, ONE_SHORT, AcceptancePolicy(short=short))
    if isinstance(expected, str):
        assert reason(decision) == expected
    else:
        assert answers(decision) == expected
        assert isinstance(decision, Accept)
        assert decision.short == {"D-1-A-2"}


@pytest.mark.parametrize("short", get_args(Choice))
def test_where_nothing_is_short_every_policy_accepts(short: Choice) -> None:
    policy = AcceptancePolicy(short=short, partial_allowed=False)
    assert answers(decide(TWO, {SHIRT: Stock(1), BELT: Stock(1)}, policy)) == [True, True]


@pytest.mark.parametrize(
    ("partial", "expected"),
    [
        ("refuse", [False, False]),
        ("accept", [True, True]),
        ("hold", "1 of 2 lines is short of stock; the marketplace takes all or none"),
    ],
)
def test_field_case_42_where_the_marketplace_takes_all_or_none(partial: Choice, expected: list[bool] | str) -> None:
    unknown = AcceptancePolicy(partial=partial)
    tried = decide(TWO, ONE_SHORT, unknown)
    assert isinstance(tried, Accept)
    assert tried.mixed  # not known yet: the marketplace is asked
    learnt = whole(tried, unknown)
    assert learnt == decide(TWO, ONE_SHORT, replace(unknown, partial_allowed=False))
    if isinstance(expected, str):
        assert reason(learnt) == expected
    else:
        assert answers(learnt) == expected
        assert isinstance(learnt, Accept)
        assert learnt.short == {"D-1-A-2"}


@pytest.mark.parametrize("partial", get_args(Choice))
def test_a_decision_for_the_whole_order_needs_no_partial_acceptance(partial: Choice) -> None:
    policy = AcceptancePolicy(partial=partial, partial_allowed=False)
    assert answers(decide(TWO, {SHIRT: Stock(0), BELT: Stock(0)}, policy)) == [False, False]
    full = Accept({OrderLineId("D-1-A-1"): True})
    assert whole(full, policy) is full


# ------------------------------------------------------------------------------------------ price guard, field case 16

GUARDED = AcceptancePolicy(price_guard_share=Decimal("0.25"))
HISTORY = {SHIRT: [Decimal("59.90"), Decimal("49.90"), Decimal("62.90")]}


def bought_at(price: str, quantity: int = 1, *, taxes: tuple[str, ...] = (), mode: str = "TAX_INCLUDED") -> Order:
    amounts = tuple(Tax("VAT20", Decimal(amount)) for amount in taxes)
    a_line = replace(line(1, quantity), price_unit=Decimal(price), price=Decimal(price) * quantity, taxes=amounts)
    return replace(order(a_line), tax_mode=mode)


@pytest.mark.parametrize(
    ("price", "passes"),
    [("49.90", True), ("37.43", True), ("37.42", False), ("99.00", True), ("0", False)],  # three quarters of 49.90
)
def test_a_price_far_below_the_lowest_that_we_asked_is_held(price: str, passes: bool) -> None:
    assert (price_guard(bought_at(price, 3), HISTORY, GUARDED) is None) is passes


def test_the_words_of_the_guard_give_both_prices() -> None:
    assert price_guard(bought_at("20.00", 2), HISTORY, GUARDED) == (
        "VX-100-M was bought at 20.00 EUR a unit, the lowest price we asked lately is 49.90 EUR"
    )


def test_field_case_16_like_is_compared_with_like() -> None:
    strict = AcceptancePolicy(price_guard_share=Decimal(0))
    asked = {SHIRT: [Decimal("59.90")]}
    net = bought_at("49.92", taxes=("9.98",), mode="TAX_EXCLUDED")
    assert price_guard(net, asked, strict) is None
    assert price_guard(bought_at("49.92", taxes=("9.98",)), asked, strict) is not None
    gross = bought_at("59.90", taxes=("9.98",))
    assert price_guard(gross, {SHIRT: [Decimal("49.92")]}, replace(strict, offer_tax_mode="TAX_EXCLUDED")) is None
    assert price_guard(gross, {SHIRT: [Decimal("49.94")]}, replace(strict, offer_tax_mode="TAX_EXCLUDED"))
    rounded = bought_at("49.91", taxes=("9.98",), mode="TAX_EXCLUDED")
    assert price_guard(rounded, asked, strict) is None
    assert price_guard(bought_at("49.90", taxes=("9.98",), mode="TAX_EXCLUDED"), asked, strict) is not None
    three = bought_at("49.92", 3, taxes=("29.94",), mode="TAX_EXCLUDED")  # taxes of a line are of all its units
    assert price_guard(three, asked, strict) is None


def test_without_history_or_share_nothing_is_guarded() -> None:
    cheap = bought_at("0.01")
    assert price_guard(cheap, {}, GUARDED) is None
    assert price_guard(cheap, {SHIRT: []}, GUARDED) is None
    assert price_guard(cheap, HISTORY, REFUSE) is None
    decided = replace(cheap, lines=(replace(cheap.lines[0], state="SHIPPING"),))
    assert price_guard(decided, HISTORY, GUARDED) is None


# ----------------------------------------------------------------------------------------------------- invariants

SKUS = (SHIRT, BELT, Sku("HAT-1"))
STATES = ("WAITING_ACCEPTANCE", "STAGING", "REFUSED", "CANCELED", "SHIPPING")
stocks = st.fixed_dictionaries({sku: st.builds(Stock, st.integers(-3, 12), st.integers(0, 5)) for sku in SKUS})
policies = st.builds(
    AcceptancePolicy,
    short=st.sampled_from(get_args(Choice)),
    partial_allowed=st.sampled_from([None, True, False]),
    partial=st.sampled_from(get_args(Choice)),
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    drawn = st.tuples(st.integers(1, 5), st.sampled_from(SKUS), st.sampled_from(STATES))
    some = draw(st.lists(drawn, min_size=1, max_size=8))
    return order(*(line(n, quantity, sku, state=state) for n, (quantity, sku, state) in enumerate(some, 1)))


def waiting(an_order: Order) -> list[OrderLine]:
    return [a_line for a_line in an_order.lines if a_line.state in STATES[:2]]


@given(orders(), stocks, policies)
def test_every_waiting_line_gets_an_answer_and_no_other_does(
    an_order: Order, stock: dict[Sku, Stock], policy: AcceptancePolicy
) -> None:
    decision = decide(an_order, stock, policy)
    if isinstance(decision, Accept):
        assert list(decision.lines) == [a_line.line_id for a_line in waiting(an_order)]
        assert decision.short <= set(decision.lines)


@given(orders(), stocks, policies)
def test_never_more_is_accepted_than_there_is_unless_a_channel_says_so(
    an_order: Order, stock: dict[Sku, Stock], policy: AcceptancePolicy
) -> None:
    decision = decide(an_order, stock, policy)
    if isinstance(decision, HoldOrder) or "accept" in (policy.short, policy.partial):
        return
    for sku in SKUS:
        accepted = [
            a_line.quantity for a_line in waiting(an_order) if a_line.sku == sku and decision.lines[a_line.line_id]
        ]
        assert not accepted or sum(accepted) <= (stock[sku].free or 0) - stock[sku].reserved_before


@given(orders(), stocks, policies)
def test_an_order_that_stock_covers_is_accepted_whole(
    an_order: Order, stock: dict[Sku, Stock], policy: AcceptancePolicy
) -> None:
    plenty = {sku: replace(there, free=1000) for sku, there in stock.items()}
    if waiting(an_order):
        assert all(answers(decide(an_order, plenty, policy)))


@given(orders(), stocks, policies, st.sampled_from(SKUS))
def test_a_figure_that_is_missing_is_never_a_refusal(
    an_order: Order, stock: dict[Sku, Stock], policy: AcceptancePolicy, sku: Sku
) -> None:
    holed = {**stock, sku: Stock(None)}
    if any(a_line.sku == sku for a_line in waiting(an_order)):
        assert isinstance(decide(an_order, holed, policy), HoldOrder)


@given(orders(), stocks, policies)
def test_where_the_marketplace_takes_all_or_none_it_is_never_asked_for_a_part(
    an_order: Order, stock: dict[Sku, Stock], policy: AcceptancePolicy
) -> None:
    decision = decide(an_order, stock, replace(policy, partial_allowed=False))
    assert isinstance(decision, HoldOrder) or not decision.mixed
