"""Cancellations: each ends in a call that the workflow allows, in a refund, or with a person; an echo in nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.after_sale import Advice, Cancelled, RefundOrder, Stop
from app.domain.ids import OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine, OrderState, Refunded, Tax
from app.policies.cancellations import (
    PAY_ON_ACCEPTANCE,
    UNDEBITED_WORKFLOWS,
    UNSHIPPED_WORKFLOW,
    CancelPolicy,
    HowToCancel,
    Part,
    Refund,
    Whole,
    how_to_cancel,
)
from app.policies.order_steps import Wait

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ONE, TWO = OrderLineId("D-1-A-1"), OrderLineId("D-1-A-2")
POLICY = CancelPolicy()
ALL = (Cancelled(ONE, 2), Cancelled(TWO, 1))
SOME = (Cancelled(ONE, 1),)


def line(line_id: OrderLineId, quantity: int, price: str) -> OrderLine:
    return OrderLine(
        line_id,
        Sku("VX"),
        quantity,
        Decimal(price) / quantity,
        Decimal(price),
        Decimal("4.00"),
        Decimal(price) + 4,
        state="SHIPPING",
        taxes=(Tax("VAT", Decimal("5.00")),),
        shipping_taxes=(Tax("VAT", Decimal("0.40")),),
    )


LINES = (line(ONE, 2, "40.00"), line(TWO, 1, "10.00"))


def order(
    state: str = "SHIPPING", workflow: str = PAY_ON_ACCEPTANCE, *, debited: bool = True, can_cancel: bool = False
) -> Order:
    at = AT if debited else None
    return Order(
        OrderId("D-1-A"), "D-1", state, AT, AT, "EUR", LINES, workflow=workflow, debited_at=at, can_cancel=can_cancel
    )


def how(
    an_order: Order,
    lines: Sequence[Cancelled] = SOME,
    taken: Sequence[Refunded] = (),
    policy: CancelPolicy = POLICY,
    *,
    or30: bool = True,
    sent: dict[OrderLineId, int] | None = None,
    excluded: dict[OrderLineId, int] | None = None,
    returned: Sequence[str] = (),
) -> HowToCancel:
    return how_to_cancel(an_order, lines, taken, policy, or30=or30, sent=sent, excluded=excluded, returned=returned)


def entry(reason: str, *, not_shipped: bool = False) -> RefundOrder:
    """One of the two units of the first line."""
    return RefundOrder(
        ONE,
        1,
        Decimal("20.00"),
        Decimal("2.00"),
        "EUR",
        reason,
        (Tax("VAT", Decimal("2.50")),),
        (Tax("VAT", Decimal("0.20")),),
        not_shipped,
    )


def test_all_of_an_order_is_cancelled_at_once_while_it_can_be() -> None:
    for state in ("WAITING_ACCEPTANCE", "WAITING_DEBIT", "SHIPPING"):
        assert how(order(state, debited=False, can_cancel=True), ALL) == Whole()
    over_two = (Cancelled(ONE, 1), Cancelled(ONE, 1), Cancelled(TWO, 1))  # one order line as two of Centra's
    assert how(order(debited=False, can_cancel=True), over_two) == Whole()


@pytest.mark.parametrize("workflow", UNDEBITED_WORKFLOWS)
def test_part_of_an_order_is_cancelled_until_the_debit_and_refunded_after(workflow: str) -> None:
    assert how(order(workflow=workflow, debited=False, can_cancel=True)) == Part((entry("35"),))
    assert how(order(workflow=workflow, debited=False)) == Part((entry("35"),))
    assert how(order(workflow=workflow)) == Refund((entry("15", not_shipped=True),))


def test_where_nobody_confirms_payment_part_is_cancelled_until_something_is_shipped() -> None:
    unconfirmed = order(workflow=UNSHIPPED_WORKFLOW, debited=False)
    assert how(unconfirmed) == Part((entry("35"),))
    assert how(order(workflow=UNSHIPPED_WORKFLOW)) == Part((entry("35"),))
    shipped = how(unconfirmed, sent={TWO: 1})
    assert isinstance(shipped, Stop)
    assert shipped.advice is Advice.OPERATOR


def test_paid_on_acceptance_is_refunded_once_it_is_paid() -> None:
    assert how(order()) == Refund((entry("15", not_shipped=True),))  # field case 46
    assert how(order(debited=False)) == Refund((entry("15", not_shipped=True),))  # SHIPPING says that it was
    for state in ("WAITING_DEBIT", "WAITING_DEBIT_PAYMENT"):
        assert isinstance(how(order(state, debited=False)), Wait)


@pytest.mark.parametrize("workflow", [*UNDEBITED_WORKFLOWS, UNSHIPPED_WORKFLOW, "PAY_IN_FOUR"])
def test_what_the_marketplace_does_not_let_us_cancel_is_the_operators(workflow: str) -> None:
    stop = how(order(workflow=workflow, debited=False), or30=False)
    assert isinstance(stop, Stop)
    assert stop.advice is Advice.OPERATOR


def test_reasons_are_the_channels_own() -> None:
    policy = CancelPolicy(cancel_reason="C-9", refund_reason="R-9")
    assert how(order(workflow="PAY_ON_SHIPMENT", debited=False), policy=policy) == Part((entry("C-9"),))
    assert how(order(), policy=policy) == Refund((entry("R-9", not_shipped=True),))


def test_taxes_are_not_named_where_the_marketplace_computes_them_for_the_whole_order() -> None:
    net = replace(order(workflow="PAY_ON_SHIPMENT", debited=False), tax_mode="TAX_EXCLUDED")
    policy = CancelPolicy(order_level_taxes=True)
    bare = replace(entry("35"), taxes=(), shipping_taxes=())
    assert how(net, policy=policy) == Part((bare,))
    assert how(net) == Part((entry("35"),))
    assert how(replace(net, tax_mode="TAX_INCLUDED"), policy=policy) == Part((entry("35"),))


# ------------------------------------------------------------------------------------------ what is known or unclear


def test_what_the_marketplace_knows_is_not_told_again() -> None:
    assert how(order("CANCELED"), ALL) is None
    assert how(order("REFUSED"), ALL) is None
    assert how(order(), ()) is None
    assert how(order(), excluded={ONE: 1}) is None
    cancelled = replace(order(), lines=(replace(LINES[0], cancelled_quantity=1), LINES[1]))
    assert how(cancelled) is None
    for state in ("CANCELED", "REFUSED", "REFUNDED"):
        assert how(replace(order(), lines=(replace(LINES[0], state=state), LINES[1]))) is None


def test_the_rest_after_a_cancelation_is_told_with_the_rest_of_the_money() -> None:
    cancelled = replace(order(can_cancel=True), lines=(replace(LINES[0], cancelled_quantity=1), LINES[1]))
    told = Refunded(
        "20771", ONE, Decimal("20.01"), Decimal(2), 1, "35", "", taxes=(Tax("VAT", Decimal("2.50")),), cancelation=True
    )
    refund = how(cancelled, (Cancelled(ONE, 2),), [told])
    assert isinstance(refund, Refund)
    assert [(one.quantity, one.amount, one.shipping) for one in refund.lines] == [(1, Decimal("19.99"), Decimal(2))]
    assert how(cancelled, ALL, [told]) == Whole()


@pytest.mark.parametrize(
    ("an_order", "lines", "taken", "sent"),
    [
        (order("WAITING_ACCEPTANCE", debited=False), ALL, (), {}),  # to be refused instead
        (order("STAGING", debited=False), SOME, (), {}),
        (order("SHIPPED"), SOME, (), {}),
        (order("RECEIVED"), ALL, (), {}),
        (order(), (Cancelled(OrderLineId("D-9"), 1),), (), {}),
        (order(), (Cancelled(ONE, 3),), (), {}),
        (order(), (Cancelled(ONE, 2),), (), {ONE: 1}),  # told as shipped
        (order(), SOME, (Refunded("1", ONE, Decimal(20), Decimal(0), 1, "16", "REFUNDED"),), {}),  # by the operator
        (order(), SOME, (Refunded("1", ONE, Decimal(40), Decimal(4), 0, "19", "REFUNDED"),), {}),  # nothing left
    ],
)
def test_what_is_not_clear_is_for_a_person(
    an_order: Order, lines: Sequence[Cancelled], taken: Sequence[Refunded], sent: dict[OrderLineId, int]
) -> None:
    stop = how(an_order, lines, taken, sent=sent)
    assert isinstance(stop, Stop)
    assert stop.advice is Advice.BY_HAND


def test_a_closed_order_is_the_operators() -> None:
    stop = how(order("CLOSED"))
    assert isinstance(stop, Stop)
    assert stop.advice is Advice.OPERATOR


def test_a_unit_refunded_after_it_was_shipped_does_not_stand_in_the_way() -> None:
    taxes, shipping_taxes = (Tax("VAT", Decimal("2.50")),), (Tax("VAT", Decimal("0.20")),)
    back = Refunded("1", ONE, Decimal(20), Decimal(2), 1, "17", "", taxes=taxes, shipping_taxes=shipping_taxes)
    assert how(order(), taken=[back], sent={ONE: 1}) == Refund((entry("15", not_shipped=True),))


def test_a_unit_that_came_back_before_its_parcel_was_told_does_not_stand_in_the_way_either() -> None:
    taxes, shipping_taxes = (Tax("VAT", Decimal("2.50")),), (Tax("VAT", Decimal("0.20")),)
    back = Refunded("1", ONE, Decimal(20), Decimal(2), 1, "17", "", taxes=taxes, shipping_taxes=shipping_taxes)
    assert isinstance(how(order(), taken=[back]), Stop)
    assert how(order(), taken=[back], returned=["1"]) == Refund((entry("15", not_shipped=True),))


@given(
    st.sampled_from([*OrderState, "A_NEW_ONE"]),
    st.sampled_from([PAY_ON_ACCEPTANCE, *UNDEBITED_WORKFLOWS, UNSHIPPED_WORKFLOW, "PAY_IN_FOUR"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from([ONE, TWO]), st.integers(0, 3)),
)
def test_every_cancellation_ends_in_one_allowed_way(
    state: str, workflow: str, debited: bool, can_cancel: bool, or30: bool, units: dict[OrderLineId, int]
) -> None:
    an_order = order(state, workflow, debited=debited, can_cancel=can_cancel)
    lines = [Cancelled(line_id, count) for line_id, count in units.items()]
    match how(an_order, lines, or30=or30):
        case None:
            assert state in ("CANCELED", "REFUSED") or not any(units.values())
        case Whole():
            assert can_cancel
            assert units == {ONE: 2, TWO: 1}
        case Part(entries):
            assert or30
            assert workflow != PAY_ON_ACCEPTANCE
            assert not debited or workflow == UNSHIPPED_WORKFLOW
            assert {one.line_id: one.quantity for one in entries} == {key: n for key, n in units.items() if n}
        case Refund(entries):
            assert debited or (workflow, state) == (PAY_ON_ACCEPTANCE, "SHIPPING")
            assert all(one.not_shipped for one in entries)
            assert {one.line_id: one.quantity for one in entries} == {key: n for key, n in units.items() if n}
        case Wait():
            assert workflow == PAY_ON_ACCEPTANCE
            assert not debited
        case Stop(reason=reason):
            assert reason
