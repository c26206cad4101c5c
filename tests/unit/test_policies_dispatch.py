"""Parcels: each told once, no unit beyond what a line has left, none lost; and what changed since it was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.after_sale import Advice, Parcel, Stop
from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine
from app.policies.dispatch import Changed, Dispatch, changed, open_units, to_send, to_send_whole
from app.policies.order_steps import Wait

AT = datetime(2026, 3, 3, 7, tzinfo=UTC)
ONE, TWO = OrderLineId("D-1-A-1"), OrderLineId("D-1-A-2")


def line(line_id: str = ONE, quantity: int = 2, state: str = "SHIPPING", cancelled: int = 0) -> OrderLine:
    unit = Decimal(10)
    price = unit * quantity
    return OrderLine(OrderLineId(line_id), Sku("VX"), quantity, unit, price, state=state, cancelled_quantity=cancelled)


def order(*lines: OrderLine, state: str = "SHIPPING", can_ship: bool = True) -> Order:
    return Order(OrderId("D-1-A"), "D-1", state, AT, AT, "EUR", lines or (line(),), can_ship=can_ship)


def parcel(number: int = 1, units: Mapping[OrderLineId, int] | None = None, tracking: str = "ZZ1") -> Parcel:
    at = AT + timedelta(hours=number)
    held = {ONE: 1} if units is None else units
    return Parcel(number, f"1001-{number}", held, "NordExpress", "Home", tracking, at, complete=True)


def stopped(outcome: object) -> Stop:
    assert isinstance(outcome, Stop), outcome
    return outcome


# ------------------------------------------------------------------------------------------------ parcel by parcel


def test_a_parcel_is_told_with_what_it_holds_and_only_once() -> None:
    first, second = parcel(1), parcel(2)
    assert to_send(first, order(), {}) == Dispatch(first)
    assert to_send(first, order(), {1: {ONE: 1}}) is None  # field case 54
    assert to_send(second, order(), {1: {ONE: 1}}) == Dispatch(second)
    assert to_send(replace(first, complete=False), order(), {}) is None


@pytest.mark.parametrize(
    "state", ["STAGING", "WAITING_ACCEPTANCE", "WAITING_DEBIT", "WAITING_DEBIT_PAYMENT", "NEW_ONE"]
)
def test_a_parcel_that_left_early_waits_for_the_marketplace(state: str) -> None:
    assert isinstance(to_send(parcel(), order(state=state), {}), Wait)  # field case 53
    assert isinstance(to_send(parcel(), order(can_ship=False), {}), Wait)


@pytest.mark.parametrize("state", ["SHIPPED", "TO_COLLECT", "RECEIVED", "CLOSED", "REFUSED", "CANCELED"])
def test_a_parcel_of_an_order_that_takes_none_is_for_a_person(state: str) -> None:
    stop = stopped(to_send(parcel(), order(state=state), {}))
    assert stop.advice is Advice.BY_HAND
    assert stop.evidence == {"1001-1": "NordExpress ZZ1"}


def test_an_order_of_the_operator_is_never_told() -> None:
    assert "operator" in stopped(to_send(parcel(), replace(order(), fulfilled_by="OPERATOR-WH-1"), {})).reason


@pytest.mark.parametrize(
    ("units", "lines", "excluded"),
    [
        ({ONE: 3}, (line(),), {}),
        ({ONE: 2}, (line(cancelled=1),), {}),
        ({ONE: 2}, (line(),), {ONE: 1}),
        ({ONE: 1}, (line(state="CANCELED"),), {}),
        ({ONE: 1, TWO: 1}, (line(),), {}),  # a line that the order does not have
        ({}, (line(),), {}),
        ({ONE: 0}, (line(),), {}),
    ],
)
def test_a_parcel_that_does_not_fit_its_lines_is_for_a_person(
    units: dict[OrderLineId, int], lines: tuple[OrderLine, ...], excluded: dict[OrderLineId, int]
) -> None:
    stopped(to_send(parcel(1, units), order(*lines), {}, excluded))


def test_the_figures_of_a_parcel_that_holds_too_much_are_told() -> None:
    stop = stopped(to_send(parcel(3, {ONE: 2}), order(line(quantity=4, cancelled=1)), {1: {ONE: 1}}, {ONE: 1}))
    assert list(stop.evidence.values()) == ["4", "1", "1", "1", "2"]


units_of = st.dictionaries(st.sampled_from([ONE, TWO]), st.integers(0, 3))


@given(st.lists(units_of, max_size=6), st.integers(0, 2), units_of)
def test_no_sequence_of_parcels_tells_more_than_a_line_has(
    parcels: list[dict[OrderLineId, int]], cancelled: int, excluded: dict[OrderLineId, int]
) -> None:
    an_order = order(line(ONE, 4, cancelled=cancelled), line(TWO, 3))
    sent: dict[int, Mapping[OrderLineId, int]] = {}
    for number, units in enumerate(parcels):
        told = to_send(parcel(number, units), an_order, sent, excluded)
        if isinstance(told, Dispatch):
            sent[number] = told.parcel.units
    total: Counter[OrderLineId] = Counter()
    for held in sent.values():
        total.update(held)
    assert total[ONE] <= max(0, 4 - cancelled - excluded.get(ONE, 0))
    assert total[TWO] <= max(0, 3 - excluded.get(TWO, 0))


# ------------------------------------------------------------------------------------- the order with one tracking


def test_the_order_waits_until_all_units_left_and_tells_the_last_tracking() -> None:
    an_order = order(line(ONE, 2), line(TWO, 1))
    parcels = [parcel(3, {TWO: 1}, "ZZ3"), parcel(1, tracking="ZZ1"), parcel(2, tracking="")]
    assert to_send_whole(parcels[1:], an_order, {}) == Wait(
        "2 of 3 units have left; it is told when the order is complete"
    )
    told = to_send_whole(parcels, an_order, {})
    assert told == Dispatch(parcels[0], (parcels[1], parcels[2]))
    assert told.also == "parcel 1001-1: NordExpress ZZ1; parcel 1001-2: NordExpress without tracking"
    assert to_send_whole(parcels, an_order, {1: {ONE: 1}}) is None
    assert to_send_whole([replace(parcel(1), complete=False)], an_order, {}) is None


def test_units_that_will_not_be_shipped_are_not_waited_for() -> None:
    lines = (line(ONE, 3, cancelled=1), line(TWO, 1, state="CANCELED"), line("D-1-A-3", 1, state="REFUNDED"))
    assert to_send_whole([parcel()], order(*lines), {}, {ONE: 1}) == Dispatch(parcel())
    assert isinstance(to_send_whole([parcel()], order(*lines), {}), Wait)


def test_the_whole_order_obeys_the_same_gates() -> None:
    assert isinstance(to_send_whole([parcel(1, {ONE: 2})], order(can_ship=False), {}), Wait)
    stopped(to_send_whole([parcel(1, {ONE: 2}), parcel(2)], order(), {}))
    stopped(to_send_whole([parcel(1, {ONE: 2})], order(state="SHIPPED"), {}))


@given(st.lists(units_of, max_size=5))
def test_the_whole_order_is_told_exactly_when_each_unit_left(parcels: list[dict[OrderLineId, int]]) -> None:
    an_order = order(line(ONE, 2), line(TWO, 3))
    told = to_send_whole([parcel(number, units) for number, units in enumerate(parcels)], an_order, {})
    left: Counter[OrderLineId] = Counter()
    for units in parcels:
        left.update(units)
    fits = bool(parcels) and all(any(units.values()) for units in parcels)
    assert isinstance(told, Dispatch) == (fits and left == Counter(open_units(an_order, {})))


# ---------------------------------------------------------------------------------------------- what changed since


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (parcel(tracking="ZZ1 "), None),
        (replace(parcel(), shipped_at=AT), None),
        (parcel(units={ONE: 1, TWO: 0}), None),
        (parcel(tracking="ZZ2"), Changed.TRACKING),
        (replace(parcel(), carrier="Bikes"), Changed.TRACKING),
        (parcel(tracking=" "), Changed.TRACKING_GONE),
        (parcel(units={ONE: 2}), Changed.UNITS),
        (parcel(units={ONE: 2}, tracking="ZZ2"), Changed.UNITS),
        (replace(parcel(), complete=False), Changed.REMOVED),
        (None, Changed.REMOVED),
    ],
)
def test_a_change_after_it_was_told_is_a_difference(now: Parcel | None, kind: Changed | None) -> None:
    difference = changed(now, parcel())
    assert (difference.kind if difference else None) is kind
    assert difference is None or difference.tellable == (kind is Changed.TRACKING)


def test_a_tracking_number_that_comes_later_can_be_told() -> None:
    difference = changed(parcel(), parcel(tracking=""))
    assert difference is not None
    assert difference.kind is Changed.TRACKING
    assert difference.evidence == {"told": "NordExpress Home ", "now": "NordExpress Home ZZ1"}
