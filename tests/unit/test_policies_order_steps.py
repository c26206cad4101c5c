"""What an order needs next: both paths step by step, and what must never be done whatever the facts are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import CentraNumber, OrderId, OrderLineId, Sku
from app.domain.orders import ENDED_STATES, OPEN_STATES, SENT_STATES, Order, OrderLine
from app.domain.progress import Acceptor, Choice, Decided, Entry, EntryCall, EntryLine, Outcome, Record
from app.domain.teams import Team
from app.policies.order_steps import (
    Action,
    Ask,
    End,
    EntryAction,
    Step,
    StepPolicy,
    Wait,
    is_done,
    is_foreign,
    is_over,
    may_ship,
    next_entry_step,
    next_step,
    surplus,
    unallocated,
)

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW = AT + timedelta(minutes=1)
NUMBER = CentraNumber(90_001)
POLICY = StepPolicy()
STATES = (*OPEN_STATES, *SENT_STATES, *ENDED_STATES, "READY_TO_FLY")


def line(number: int, quantity: int = 1, state: str = "WAITING_ACCEPTANCE", cancelled: int = 0) -> OrderLine:
    price = Decimal("59.90")
    return OrderLine(
        OrderLineId(f"D-1-A-{number}"),
        Sku(f"VX-{number}"),
        quantity,
        price,
        price * quantity,
        state=state,
        index=number,
        cancelled_quantity=cancelled,
    )


def order(state: str = "WAITING_ACCEPTANCE", *lines: OrderLine, address: bool = True, ship: bool = False) -> Order:
    lines = lines or (line(1, state=state),)
    return Order(OrderId("D-1-A"), "D-1", state, AT, AT, "EUR", lines, can_ship=ship, has_address=address)


def record(an_order: Order, **facts: object) -> Record:
    return replace(Record(an_order, read_at=NOW, seen_at=AT, accept_by=AT + timedelta(days=1)), **facts)  # type: ignore[arg-type]


def accepting(an_order: Order, *refused: str) -> Decided:
    return Decided({a_line.line_id: a_line.line_id not in refused for a_line in an_order.lines})


def entered(an_order: Order, allocated: bool = True, **facts: object) -> Entry:
    """The Centra order, blocked, with a line for each of the order's."""
    lines = tuple(
        EntryLine(number, a_line.line_id, a_line.sku, a_line.quantity, allocated=a_line.quantity if allocated else 0)
        for number, a_line in enumerate(an_order.lines, 1)
    )
    return replace(Entry("PENDING", held=False, unpaid=True, lines=lines), **facts)  # type: ignore[arg-type]


def placed(an_order: Order, **facts: object) -> Record:
    """An order that is in Centra, blocked and read back."""
    progress: dict[str, object] = {
        "decided": accepting(an_order),
        "number": NUMBER,
        "entry": entered(an_order),
        "converted_at": AT,
        "completed_at": AT,
        "checked_at": NOW,
    }
    return record(an_order, **{**progress, **facts})


# -------------------------------------------------------------------------------------------------- the two paths


def walk(an_order: Order, story: dict[str, Order]) -> list[str]:
    """What is done about an order, until it has ended; `story` says what the marketplace shows after an action."""
    now, found = record(an_order), list[str]()
    for _ in range(30):
        step: object = next_step(now, POLICY)
        if step is Action.ENTER:
            step = next_entry_step(now, POLICY, NOW) or "wait for the marketplace"
        if isinstance(step, End):
            return [*found, str(step.outcome)]
        assert not isinstance(step, Wait | Ask), (found, step)
        found.append(str(step))
        now = _done(now, str(step))
        if str(step) in story:
            now = replace(now, order=story[str(step)], read_at=now.read_at + timedelta(minutes=1))
    raise AssertionError(f"it never ends: {found}")


def _done(now: Record, step: str) -> Record:
    after: dict[str, Record] = {
        "decide": replace(now, decided=accepting(now.order)),
        "accept": replace(now, accepted_at=now.read_at, accepted_by=Acceptor.US, accept_sent_at=now.read_at),
        "note acceptance": replace(
            now,
            accepted_at=now.read_at,
            accepted_by=Acceptor.SYSTEM if now.order.decided_at is None else Acceptor.SOMEBODY,
        ),
        "take as accepted": replace(now, decided=accepting(now.order)),
        "create": replace(now, number=NUMBER),
        "convert": replace(now, converted_at=NOW),
        "complete": replace(now, completed_at=NOW, blocked=True, checked_at=None),
        "check": replace(now, checked_at=NOW, entry=entered(now.order, unpaid=now.blocked)),
        "release": replace(now, blocked=False),
        "confirm": replace(now, confirmed_at=NOW),
        "cancel": replace(now, entry=entered(now.order, status="CANCELLED")),
    }
    return after.get(step, now)


SHIPPABLE = order("SHIPPING", ship=True)
ENTERED = ["create", "convert", "complete", "check"]


def test_path_a_enters_blocked_accepts_and_releases() -> None:
    story = {"accept": order("WAITING_DEBIT_PAYMENT"), "wait for the marketplace": SHIPPABLE}
    done = walk(order(), story)
    assert done == ["decide", *ENTERED, "accept", "wait for the marketplace", "release", "confirm", "released"]


def test_path_b_accepts_waits_enters_blocked_and_releases() -> None:
    hidden = order(address=False)
    waiting = order("WAITING_DEBIT_PAYMENT", address=False)
    done = walk(hidden, {"accept": waiting, "wait for the marketplace": SHIPPABLE})
    assert done == ["decide", "accept", "wait for the marketplace", *ENTERED, "release", "confirm", "released"]


@pytest.mark.parametrize("workflow", ["PAY_ON_DELIVERY", "PAY_ON_DUE_DATE", "PAY_ON_SHIPMENT", "PAY_IN_FOUR"])
def test_where_debit_follows_dispatch_or_nobody_knows_it_is_not_waited_for(workflow: str) -> None:
    """Field case 21: a workflow that nobody knows changes nothing."""
    shown = replace(SHIPPABLE, workflow=workflow)
    assert walk(replace(order(), workflow=workflow), {"accept": shown})[-3:] == ["release", "confirm", "released"]


def test_what_the_system_accepted_needs_no_or21() -> None:
    done = walk(SHIPPABLE, {})
    assert done == ["note acceptance", "take as accepted", *ENTERED, "release", "confirm", "released"]


@pytest.mark.parametrize("state", ENDED_STATES)
def test_an_order_that_ended_after_its_entry_leaves_centra(state: str) -> None:
    done = walk(order(), {"check": order(state)})
    assert done[-2:] == ["cancel", "refused" if state == "REFUSED" else "cancelled"]
    assert walk(order(), {"decide": order(state)}) == ["decide", done[-1]], "one that never came there"


def test_a_lapse_is_told_from_a_refusal() -> None:
    lapsed = replace(order("REFUSED"), state_reason="ACCEPTANCE_TIMEOUT")
    assert next_step(record(lapsed), POLICY) == End(Outcome.LAPSED)
    assert next_step(record(order("REFUSED")), POLICY) == End(Outcome.REFUSED)
    ours = record(lapsed, accepted_at=AT, accepted_by=Acceptor.US)
    assert next_step(ours, POLICY) == End(Outcome.REFUSED), "decided in time, whatever the reason says"


# ------------------------------------------------------------------------------------------------- single steps


def test_field_case_40_what_somebody_else_accepted_waits_for_a_person() -> None:
    shown = replace(SHIPPABLE, decided_at=AT)
    noted = record(shown, accepted_at=NOW, accepted_by=Acceptor.SOMEBODY, decided=accepting(shown))
    assert next_step(record(shown), POLICY) is Action.NOTE_ACCEPTANCE
    step = next_step(noted, POLICY)
    assert isinstance(step, Ask)
    assert "somebody else accepted" in step.reason
    assert next_entry_step(noted, POLICY, NOW) is None
    for agreed, policy in (
        (replace(noted, choice=Choice.IMPORT), POLICY),
        (noted, StepPolicy(accepted_elsewhere="import")),
    ):
        assert next_step(agreed, policy) is Action.ENTER
        assert next_entry_step(agreed, policy, NOW) is EntryAction.CREATE


def test_field_case_41_history_is_recorded_until_a_person_wants_it() -> None:
    policy = StepPolicy(start_at=AT + timedelta(seconds=1))
    for state in OPEN_STATES:
        assert next_step(record(order(state)), policy) == End(Outcome.RECORDED)
    assert next_step(record(order(), choice=Choice.ACCEPT), policy) is Action.DECIDE
    assert next_step(record(order()), StepPolicy(start_at=AT)) is Action.DECIDE


def test_field_case_21_a_state_that_nobody_knows_is_asked_about_and_nothing_is_done() -> None:
    step = next_step(record(order("READY_TO_FLY")), POLICY)
    assert isinstance(step, Ask)
    assert "READY_TO_FLY" in step.reason
    assert next_entry_step(placed(order("READY_TO_FLY")), POLICY, NOW) is None


def test_field_case_26_lines_that_died_later_leave_the_centra_order() -> None:
    lines = (line(1, 2, "SHIPPING"), line(2, 1, "REFUSED"), line(3, 3, "SHIPPING", cancelled=1))
    shown = order("SHIPPING", *lines, ship=True)
    whole = placed(shown)
    assert [(e.line_id[-1], units) for e, units in surplus(whole)] == [("2", 1), ("3", 1)]
    assert next_entry_step(whole, POLICY, NOW) is EntryAction.CANCEL_LINES
    assert whole.entry is not None
    left = tuple(
        replace(entry, quantity=entry.quantity - units)
        for entry in whole.entry.lines
        for units in (dict(surplus(whole)).get(entry, 0),)
    )
    assert next_entry_step(replace(whole, entry=replace(whole.entry, lines=left)), POLICY, NOW) is EntryAction.RELEASE


def test_field_case_79_an_order_without_stock_is_read_again_and_not_released() -> None:
    bare = placed(SHIPPABLE, entry=entered(SHIPPABLE, allocated=False))
    assert unallocated(bare) == 1
    assert isinstance(next_entry_step(bare, POLICY, NOW), Wait)
    assert next_entry_step(bare, POLICY, NOW + timedelta(seconds=60)) is EntryAction.CHECK
    meant = replace(bare, decided=Decided({OrderLineId("D-1-A-1"): True}, short=(OrderLineId("D-1-A-1"),)))
    assert next_entry_step(meant, POLICY, NOW) is EntryAction.RELEASE, "a backorder by decision"


def test_field_case_46_cancelled_in_centra_and_alive_at_the_marketplace_is_asked_about() -> None:
    step = next_entry_step(placed(SHIPPABLE, entry=entered(SHIPPABLE, status="CANCELLED")), POLICY, NOW)
    assert isinstance(step, Ask)
    assert "cancelled in Centra" in step.reason


def test_an_order_found_unblocked_is_held_and_a_problem_keeps_it_blocked() -> None:
    assert next_entry_step(placed(order(), entry=entered(order(), unpaid=False)), POLICY, NOW) is (
        EntryAction.HOLD_IN_CENTRA
    )
    assert next_entry_step(placed(SHIPPABLE, problem="two cents"), POLICY, NOW) == Ask("two cents")
    assert next_step(placed(order(), problem="two cents"), POLICY) is Action.ACCEPT, "it does not stop OR21"


def test_a_person_who_accepts_does_not_wait_for_centra() -> None:
    by_hand = record(order(), choice=Choice.ACCEPT, decided=accepting(order()))
    assert next_step(by_hand, POLICY) is Action.ACCEPT
    assert next_entry_step(by_hand, POLICY, NOW) is None


def test_an_order_refused_whole_does_not_go_to_centra_first() -> None:
    refusing = record(order(), decided=accepting(order(), "D-1-A-1"))
    assert next_step(refusing, POLICY) is Action.ACCEPT
    assert next_entry_step(refusing, POLICY, NOW) is None


def test_a_call_in_doubt_is_done_when_its_result_is_there() -> None:
    """Read back after the call: each state shows what led to it, and no more."""
    two = order("SHIPPING", line(1, 2, "SHIPPING"), ship=True)
    one_left = order("SHIPPING", line(1, 2, "SHIPPING", cancelled=1), ship=True)
    let_go = {"blocked": False, "entry": entered(two, unpaid=False)}
    shown: dict[EntryCall, tuple[Record, Record]] = {
        EntryCall.COMPLETE: (placed(two), placed(two, entry=entered(two, status="INCOMPLETE"))),
        EntryCall.HOLD: (placed(two, entry=entered(two, held=True)), placed(two)),
        EntryCall.RELEASE: (placed(two, **let_go), placed(two)),
        EntryCall.CONFIRM: (placed(two, entry=entered(two, status="CONFIRMED")), placed(two)),
        EntryCall.CANCEL: (placed(two, entry=entered(two, status="CANCELLED")), placed(two)),
        EntryCall.CANCEL_LINES: (placed(two), placed(one_left, entry=entered(two))),
        EntryCall.CANCEL_AT_MARKETPLACE: (placed(order("CANCELED")), placed(two)),
    }
    for call, (after, before) in shown.items():
        assert is_done(call, after), call
        assert not is_done(call, before), call


def test_a_cancelled_or_unread_order_shows_nothing_but_its_cancellation() -> None:
    gone = placed(SHIPPABLE, entry=entered(SHIPPABLE, status="CANCELLED"))
    at_centra = set(EntryCall) - {EntryCall.CANCEL_AT_MARKETPLACE}
    assert {call for call in at_centra if is_done(call, gone)} == {EntryCall.CANCEL}
    assert not any(is_done(call, record(SHIPPABLE)) for call in at_centra)


def test_where_centra_confirms_by_itself_nobody_else_does() -> None:
    let_go = placed(
        SHIPPABLE, accepted_at=AT, accepted_by=Acceptor.US, blocked=False, entry=entered(SHIPPABLE, unpaid=False)
    )
    assert next_entry_step(let_go, POLICY, NOW) is EntryAction.CONFIRM
    assert next_entry_step(let_go, StepPolicy(confirm=False), NOW) is None
    assert next_step(let_go, StepPolicy(confirm=False)) == End(Outcome.RELEASED)


# ----------------------------------------------------------------------------------------------------- invariants

instants = st.sampled_from([None, AT, NOW])


@st.composite
def entries(draw: st.DrawFn, lines: tuple[OrderLine, ...]) -> Entry:
    found = []
    for number, a_line in enumerate(draw(st.lists(st.sampled_from(lines), max_size=4)), 1):
        units = draw(st.integers(0, 3))
        shipped = draw(st.integers(0, units))
        allocated = draw(st.integers(0, units - shipped))
        found.append(EntryLine(number, a_line.line_id, a_line.sku, units, 0, allocated, shipped))
    status = draw(st.sampled_from(["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "CANCELLED"]))
    return Entry(status, draw(st.booleans()), draw(st.booleans()), tuple(found))


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any facts at all, sensible or not: rules have to hold after every crash and whatever the far side says."""
    line_states = st.sampled_from(STATES)
    lines = tuple(
        line(number, draw(st.integers(0, 3)), draw(line_states), draw(st.integers(0, 1)))
        for number in range(1, draw(st.integers(2, 4)))
    )
    shown = Order(
        OrderId("D-1-A"),
        "D-1",
        draw(st.sampled_from(STATES)),
        draw(st.sampled_from([AT - timedelta(days=9), AT])),
        AT,
        "EUR",
        lines,
        state_reason=draw(st.sampled_from([None, "ACCEPTANCE_TIMEOUT"])),
        decided_at=draw(instants),
        can_ship=draw(st.booleans()),
        fulfilled_by=draw(st.sampled_from(["DEFAULT", "DEFAULT", "OPERATOR-WH-1"])),
        has_address=draw(st.booleans()),
    )
    chosen = {a_line.line_id: draw(st.booleans()) for a_line in lines}
    accepted_at = draw(instants)
    return Record(
        shown,
        read_at=NOW,
        seen_at=AT,
        accept_by=AT + timedelta(days=1),
        decided=draw(st.sampled_from([None, Decided(chosen), Decided(chosen, short=(lines[0].line_id,))])),
        choice=draw(st.sampled_from([None, *Choice])),
        accept_sent_at=draw(instants),
        accepted_at=accepted_at,
        accepted_by=None if accepted_at is None else draw(st.sampled_from(Acceptor)),
        number=draw(st.sampled_from([None, NUMBER])),
        entry=draw(st.none() | entries(lines)),
        converted_at=draw(instants),
        completed_at=draw(instants),
        checked_at=draw(instants),
        problem=draw(st.sampled_from([None, "two cents"])),
        problem_team=Team.FINANCE,
        blocked=draw(st.booleans()),
        confirmed_at=draw(instants),
    )


policies = st.builds(
    StepPolicy,
    start_at=st.sampled_from([None, AT - timedelta(days=1)]),
    accepted_elsewhere=st.sampled_from(["hold", "import"]),
    confirm=st.booleans(),
)


@given(records(), policies)
def test_only_an_undecided_order_is_decided_or_accepted_and_never_twice(facts: Record, policy: StepPolicy) -> None:
    step = next_step(facts, policy)
    if step in (Action.DECIDE, Action.ACCEPT):
        assert facts.order.state == "WAITING_ACCEPTANCE"
        assert facts.order.ours
        assert facts.accepted_at is None
        assert (facts.decided is None) == (step is Action.DECIDE)
    if step is Action.ACCEPT and facts.order.has_address and facts.choice is not Choice.ACCEPT:
        assert facts.decided is not None
        assert facts.checked_at is not None or not facts.decided.accepted_lines, "read back in Centra before OR21"


@given(records(), policies)
def test_only_an_order_without_a_number_is_created_and_only_for_somebody(facts: Record, policy: StepPolicy) -> None:
    if next_entry_step(facts, policy, NOW) is EntryAction.CREATE:
        assert facts.number is None
        assert facts.order.has_address
        assert facts.decided is not None
        assert facts.decided.accepted_lines
        assert not is_foreign(facts, policy)
        assert facts.order.live_lines


@given(records(), policies)
def test_an_order_that_is_over_only_leaves(facts: Record, policy: StepPolicy) -> None:
    if is_over(facts) or not facts.order.ours:
        step = next_entry_step(facts, policy, NOW)
        assert step in (None, EntryAction.CANCEL)
        if step is EntryAction.CANCEL:
            assert facts.number is not None
            assert facts.order.ours
            assert facts.entry is None or not facts.entry.is_cancelled
        assert isinstance(next_step(facts, policy), End) or next_step(facts, policy) is Action.ENTER


@given(records(), policies)
def test_nothing_is_let_go_before_the_marketplace_says_so(facts: Record, policy: StepPolicy) -> None:
    step = next_entry_step(facts, policy, NOW)
    if step in (EntryAction.RELEASE, EntryAction.CONFIRM):
        assert may_ship(facts)
        assert facts.completed_at is not None
        assert facts.blocked == (step is EntryAction.RELEASE)
    if step is EntryAction.RELEASE:
        assert facts.problem is None
        assert not unallocated(facts)
        assert not surplus(facts)


@given(records(), policies)
def test_no_order_is_silent(facts: Record, policy: StepPolicy) -> None:
    """While an order of ours is open, something is done, waited for with a reason, or asked; it never just ends."""
    step: Step = next_step(facts, policy)
    is_history = policy.start_at is not None and facts.order.created_at < policy.start_at and facts.choice is None
    if isinstance(step, End) and facts.order.ours and not is_over(facts) and not is_history:
        assert facts.order.state in SENT_STATES or step.outcome is Outcome.RELEASED
        if facts.order.state not in SENT_STATES:
            assert facts.completed_at is not None
            assert not facts.blocked
    if isinstance(step, Wait | Ask):
        assert step.reason


@given(records())
def test_only_units_that_are_there_and_not_shipped_are_cancelled(facts: Record) -> None:
    there = facts.entry.lines if facts.entry else ()
    cut = dict(surplus(facts))
    assert all(0 < units <= entry.quantity - entry.shipped for entry, units in cut.items())
    for a_line in facts.order.lines:
        accepted = facts.decided is None or a_line.line_id in facts.decided.accepted_lines
        wanted = max(0, a_line.quantity - a_line.cancelled_quantity) if a_line.live and accepted else 0
        of_line = [entry for entry in there if entry.line_id == a_line.line_id]
        kept = sum(entry.quantity - cut.get(entry, 0) for entry in of_line)
        assert kept <= wanted + sum(entry.shipped for entry in of_line)
        assert kept >= min(wanted, sum(entry.quantity for entry in of_line)), "no unit too many"
    assert unallocated(facts) >= 0
