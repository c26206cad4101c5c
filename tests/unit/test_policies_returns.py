"""The walk of a return: every start ends, each step once and in order, money never without goods unless policy says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.after_sale import Stop
from app.domain.ids import OrderId, OrderLineId
from app.policies.order_steps import Wait
from app.policies.returns import (
    MISSING_ITEM,
    RETURNLESS,
    Act,
    Action,
    CentraReturn,
    Done,
    MarketplaceReturn,
    MarketplaceReturnLine,
    ReturnPolicy,
    ReturnState,
    ReturnStep,
    next_return_step,
)

ONE, TWO = OrderLineId("D-1-A-1"), OrderLineId("D-1-A-2")
ASKED = MarketplaceReturn(
    "5f000000-0000-4000-8000-000000000009",
    OrderId("D-1-A"),
    ReturnState.WAITING_ACCEPTANCE,
    (MarketplaceReturnLine(ONE, 2), MarketplaceReturnLine(TWO, 1)),
)
BACK = CentraReturn(expected=True, back={ONE: 2, TWO: 1})
POLICY = ReturnPolicy()
MOVES = {
    Action.ACCEPT: ReturnState.IN_PROGRESS,
    Action.REJECT: ReturnState.REFUSED,
    Action.RECEIVE: ReturnState.RECEIVED,
    Action.CLOSE: ReturnState.CLOSED,
}
ORDER = list(Action)


def step(
    found: MarketplaceReturn, centra: CentraReturn = BACK, policy: ReturnPolicy = POLICY, *taken: Action
) -> ReturnStep:
    return next_return_step(found, centra, policy, frozenset(taken))


def at(state: str) -> MarketplaceReturn:
    return replace(ASKED, state=state)


def checked(found: MarketplaceReturn, compliant: bool = True) -> MarketplaceReturn:
    return replace(found, lines=tuple(replace(line, compliant=compliant) for line in found.lines))


def walked(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, *taken: Action, shown: bool = True
) -> tuple[list[Action], ReturnStep]:
    """The steps taken from a start, each applied as the marketplace would (`shown`: at once in RT11), and the last."""
    done: list[Action] = []
    while isinstance(next_step := step(found, centra, policy, *taken, *done), Act):
        assert next_step.action not in done
        done.append(next_step.action)
        if shown:
            found = replace(found, state=MOVES.get(next_step.action, found.state))
            if next_step.action is Action.COMPLY:
                found = checked(found)
    return done, next_step


ALL = [Action.ACCEPT, Action.RECEIVE, Action.COMPLY, Action.REFUND, Action.CLOSE]


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (ASKED, ALL),  # field case 61: received and completed in Centra before anybody accepted
        (at("IN_PROGRESS"), ALL[1:]),
        (at("RECEIVED"), ALL[2:]),
        (checked(at("RECEIVED")), ALL[3:]),
        (at("CLOSED"), [Action.REFUND]),
    ],
)
def test_missing_steps_are_made_up_for_in_order_each_once(
    found: MarketplaceReturn, steps: list[Action], shown: bool
) -> None:
    done, last = walked(found, BACK, POLICY, shown=shown)
    assert (done, last) == (steps, Done("received, refunded and closed"))


def test_a_return_is_accepted_expected_and_waited_for() -> None:
    done, last = walked(ASKED, CentraReturn(), POLICY)
    assert (done, type(last)) == ([Action.ACCEPT, Action.EXPECT], Wait)
    assert walked(ASKED, CentraReturn(expected=True), POLICY)[0] == [Action.ACCEPT]
    assert walked(ASKED, CentraReturn(), replace(POLICY, expect=False))[0] == [Action.ACCEPT]


def test_a_return_that_somebody_received_waits_for_centra() -> None:
    assert isinstance(step(at("RECEIVED"), CentraReturn(expected=True)), Wait)


def test_a_return_is_answered_by_policy() -> None:
    reject = replace(POLICY, accept="reject", rejection="RETURN_REJECTION_WINDOW_CLOSED")
    assert step(ASKED, CentraReturn(), reject) == Act(Action.REJECT, "RETURN_REJECTION_WINDOW_CLOSED")
    assert walked(ASKED, CentraReturn(), reject) == ([Action.REJECT], Done("the marketplace has it as REFUSED"))
    assert isinstance(step(ASKED, CentraReturn(), reject, Action.REJECT), Wait)
    assert isinstance(step(ASKED, CentraReturn(), replace(POLICY, accept="hold")), Stop)
    assert step(ASKED, BACK, reject) == Act(Action.ACCEPT)  # the goods are here


@pytest.mark.parametrize("state", ["REFUSED", "CANCELED", "NO_RECEPTION"])
def test_a_return_that_came_to_nothing_ends(state: str) -> None:
    assert isinstance(step(at(state), CentraReturn(expected=True)), Done)
    assert isinstance(step(at(state), BACK), Stop)
    assert isinstance(step(at(state), BACK, POLICY, Action.REFUND), Done)


def test_goods_that_came_too_late_are_refunded_where_policy_says_so() -> None:
    late = replace(POLICY, late="refund")
    assert walked(at("NO_RECEPTION"), BACK, late) == ([Action.REFUND], Done("the marketplace has it as NO_RECEPTION"))
    assert isinstance(step(at("REFUSED"), BACK, late), Stop)


def test_a_return_closed_by_others_without_goods_ends() -> None:
    assert isinstance(step(at("CLOSED"), CentraReturn(expected=True)), Done)


@pytest.mark.parametrize("back", [{ONE: 1, TWO: 1}, {ONE: 2}])
def test_fewer_units_than_announced_are_for_a_person_or_do_not_comply(back: dict[OrderLineId, int]) -> None:
    centra = CentraReturn(back=back)
    assert isinstance(step(at("RECEIVED"), centra), Stop)
    complies = {ONE: back[ONE] == 2, TWO: TWO in back}
    told = step(at("RECEIVED"), centra, replace(POLICY, missing="not_compliant"))
    assert told == Act(Action.COMPLY, MISSING_ITEM, complies)


def test_a_credit_for_goods_that_did_not_comply_is_for_a_person() -> None:
    assert isinstance(step(checked(at("RECEIVED"), compliant=False)), Stop)


def test_a_return_undone_in_centra_after_its_refund_is_for_a_person() -> None:
    for state in ReturnState:
        assert isinstance(step(at(state), CentraReturn(), POLICY, Action.REFUND), Stop)  # business rule 21


@pytest.mark.parametrize("state", ["WAITING_ACCEPTANCE", "IN_PROGRESS", "RECEIVED", "CLOSED"])
def test_a_return_without_a_parcel_ends_with_its_refund(state: str) -> None:
    found = replace(at(state), method=RETURNLESS)
    assert isinstance(walked(found, CentraReturn(), POLICY)[1], Stop)
    done, last = walked(found, CentraReturn(), replace(POLICY, returnless="refund"))
    assert done == ([Action.ACCEPT] if state == "WAITING_ACCEPTANCE" else []) + [Action.REFUND]
    assert last == Done("refunded, the buyer keeps the goods")
    assert walked(found, BACK, POLICY)[0] == done  # sent back all the same


def test_an_unknown_state_is_for_a_person() -> None:
    assert isinstance(step(at("IN_DISPUTE")), Stop)


policies = st.builds(
    ReturnPolicy,
    accept=st.sampled_from(["accept", "reject", "hold"]),
    expect=st.booleans(),
    missing=st.sampled_from(["hold", "not_compliant"]),
    returnless=st.sampled_from(["refund", "hold"]),
    late=st.sampled_from(["refund", "hold"]),
)
centras = st.builds(
    CentraReturn,
    expected=st.booleans(),
    back=st.none() | st.dictionaries(st.sampled_from([ONE, TWO]), st.integers(1, 2), min_size=1),
)
starts = st.builds(
    MarketplaceReturn,
    return_id=st.just(ASKED.return_id),
    order_id=st.just(ASKED.order_id),
    state=st.sampled_from(ReturnState),
    lines=st.just(ASKED.lines),
    method=st.sampled_from(["RETURN_METHOD_BY_MAIL", RETURNLESS]),
)


@given(starts, centras, policies, st.booleans())
def test_every_walk_ends_with_each_step_once_and_in_order(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy, shown: bool
) -> None:
    done, last = walked(found, centra, policy, shown=shown)
    assert done == sorted(set(done), key=ORDER.index)
    assert isinstance(last, Wait | Stop | Done)
    if Action.REFUND in done:
        assert centra.back is not None or (found.returnless and policy.returnless == "refund")
    if isinstance(last, Done) and centra.back is not None:
        assert Action.REFUND in done


@given(starts, centras, policies)
def test_steps_that_were_taken_are_never_asked_for_again(
    found: MarketplaceReturn, centra: CentraReturn, policy: ReturnPolicy
) -> None:
    done, _ = walked(found, centra, policy, shown=False)
    again, last = walked(found, centra, policy, *done, shown=False)
    assert again == []
    assert not isinstance(last, Act)
