"""What is done about a difference, how it counts, and how orders differ that no stand-in can be brought to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.centra.orders import OrderRead
from app.domain.ids import CentraNumber, OrderId, OrderLineId, Sku
from app.domain.orders import Order, OrderLine
from app.domain.parity import NEW, SETTLES_ITSELF, Before, Cause, Deed, Found, Kind
from app.domain.progress import Record
from app.flows.comparing.causes import under_way
from app.flows.comparing.orders import Around, compare, second
from app.flows.order_look_back import Looked
from app.policies.parity import ParityPolicy, counts, deed, score
from app.store.orders import ORDER_ENTRY, ORDERS
from app.store.parity import Way

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
POLICY = ParityPolicy(tries=2)
OLD = NOW - timedelta(hours=2)
STOCK = Found(Kind.STOCK, "VX-1", "quantity", "4", "9", mend="stock")


def test_a_difference_is_mended_so_often_and_then_asked_about() -> None:
    assert deed(STOCK, NEW, NOW, POLICY) is Deed.MENDED
    assert deed(STOCK, Before(tries=1, mended_at=OLD), NOW, POLICY) is Deed.MENDED
    assert deed(STOCK, Before(tries=2, mended_at=OLD), NOW, POLICY) is Deed.HELD
    assert deed(replace(STOCK, mend=None), NEW, NOW, POLICY) is Deed.HELD
    assert deed(replace(STOCK, asks=False), Before(tries=2, mended_at=OLD), NOW, POLICY) is Deed.NOTHING


def test_a_copy_that_is_older_than_the_mending_says_nothing() -> None:
    assert deed(STOCK, Before(tries=1, mended_at=NOW), NOW, POLICY) is Deed.NOTHING


@given(st.sampled_from(sorted(SETTLES_ITSELF)), st.integers(0, 5))
def test_what_is_under_way_or_asked_for_is_left_alone(cause: Cause, tries: int) -> None:
    assert deed(replace(STOCK, cause=cause), Before(tries=tries), NOW, POLICY) is Deed.NOTHING


def test_what_a_person_let_be_stays_so_and_lowers_no_score() -> None:
    done = deed(STOCK, Before(tries=9, resolved=True), NOW, POLICY)
    assert done is Deed.RESOLVED
    assert not counts(STOCK, done, NOW, POLICY)


@pytest.mark.parametrize("cause", [Cause.ON_ITS_WAY, Cause.PAUSED])
def test_what_is_on_its_way_counts_once_it_is_late(cause: Cause) -> None:
    sent = replace(STOCK, cause=cause, since=NOW - timedelta(minutes=10))
    assert not counts(sent, Deed.NOTHING, NOW, POLICY)
    assert counts(replace(sent, since=OLD), Deed.NOTHING, NOW, POLICY)
    assert counts(replace(sent, cause=Cause.HELD), Deed.NOTHING, NOW, POLICY)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_score_is_a_share(compared: int, differing: int) -> None:
    found = score(compared, differing)
    assert 0 <= found <= 1
    assert (found == 1) is (differing == 0 or compared == 0)


def test_the_cause_is_a_hold_before_it_is_the_way() -> None:
    ways = [Way(since=NOW), Way(held="a price below the floor")]
    assert under_way(STOCK, ways) == replace(STOCK, cause=Cause.HELD, words="a price below the floor")
    assert under_way(STOCK, [Way(), Way(since=NOW), Way(since=OLD)]) == replace(
        STOCK, cause=Cause.ON_ITS_WAY, since=OLD
    )
    kept = under_way(STOCK, [Way(since=OLD, kept_back="no permit for STO01")])
    assert (kept.cause, kept.words) == (Cause.PAUSED, "no permit for STO01")


# ------------------------------------------------------------------------------------------------------------- orders

ACTS = Around(acts=True, follows=True, looked=None)
NUMBER = CentraNumber(90_001)


def record(state: str = "SHIPPING", **members: Any) -> Record:
    """An order of one line at the marketplace, which we do not know more of."""
    price = Decimal("59.90")
    line = OrderLine(OrderLineId("D-1-A-1"), Sku("VX-1"), 1, price, price, state=state)
    order = Order(OrderId("D-1-A"), "D-1", state, OLD, OLD, "EUR", (line,))
    return Record(order, **{"read_at": NOW, "seen_at": OLD, "accept_by": NOW, **members})


def placed(number: int = NUMBER, status: str = "CONFIRMED", *, held: bool = False, unpaid: bool = False) -> OrderRead:
    """What Centra has of it."""
    told = {"value": Decimal("59.90"), "currency": {"code": "EUR"}}
    members = {"isOnHold": held, "isWaitingForPayment": unpaid, "createdAt": OLD, "grandTotal": told, "lines": []}
    return msgspec.convert({"id": f"o-{number}", "number": number, "status": status, **members}, OrderRead)


ENTERED = {"number": NUMBER, "completed_at": OLD, "accepted_at": OLD, "ended_at": OLD, "blocked": False}


def test_an_order_that_all_three_know_alike_is_no_difference() -> None:
    assert compare(record(**ENTERED), {NUMBER: placed()}, {}, ACTS) == []
    blocked = record("WAITING_DEBIT", **{**ENTERED, "blocked": True, "ended_at": None})
    assert compare(blocked, {NUMBER: placed(unpaid=True)}, {}, ACTS) == []
    assert compare(record("SHIPPED", **ENTERED), {NUMBER: placed(held=True)}, {}, ACTS) == [], "nothing is left to ship"


def test_an_order_that_nobody_works_on_is_given_to_its_flow() -> None:
    [answer] = compare(record("WAITING_ACCEPTANCE"), {}, {}, ACTS)
    assert (answer.member, answer.mend, answer.cause) == ("answer", ORDERS, Cause.MISSED)
    [absent] = compare(record(accepted_at=OLD), {}, {}, ACTS)
    assert (absent.member, absent.theirs, absent.mend) == ("Centra order", "absent", ORDER_ENTRY)
    assert compare(record("WAITING_ACCEPTANCE"), {}, {}, replace(ACTS, acts=False)) == []
    assert compare(record(accepted_at=OLD, ended_at=OLD), {}, {}, ACTS) == []


def test_an_order_under_work_is_on_its_way_or_held() -> None:
    [found] = compare(record(accepted_at=OLD), {}, {ORDER_ENTRY: Way(since=NOW)}, ACTS)
    assert (found.cause, found.since) == (Cause.ON_ITS_WAY, NOW)
    [found] = compare(record("WAITING_ACCEPTANCE"), {}, {ORDERS: Way(held="short of stock")}, ACTS)
    assert (found.cause, found.words) == (Cause.HELD, "short of stock")


def test_an_order_that_may_ship_too_early_is_given_to_its_entry() -> None:
    early = record("WAITING_DEBIT", **{**ENTERED, "blocked": True, "ended_at": None})
    [found] = compare(early, {NUMBER: placed()}, {}, ACTS)
    assert (found.member, found.ours, found.theirs, found.mend) == ("block", "blocked", "let go", ORDER_ENTRY)


def test_an_order_that_somebody_stopped_in_centra_is_asked_about() -> None:
    [found] = compare(record(**ENTERED), {NUMBER: placed(held=True)}, {}, ACTS)
    assert (found.member, found.theirs, found.cause, found.mend) == ("block", "on hold", Cause.BY_HAND, None)
    cancelled = {NUMBER: placed(status="CANCELLED")}
    assert compare(record(**ENTERED), cancelled, {}, ACTS) == [], "a cancellation, where these are followed"
    [found] = compare(record(**ENTERED), cancelled, {}, replace(ACTS, follows=False))
    assert (found.member, found.theirs) == ("status", "CANCELLED")


def test_every_number_of_an_order_is_to_be_in_centra() -> None:
    part = CentraNumber(90_002)
    split = record(**ENTERED, parts=(part,))
    [found] = compare(split, {NUMBER: placed()}, {}, ACTS)
    assert (found.ours, found.theirs) == ("90002", "absent")
    assert second("D-1-A", part, split) is None
    found = second("D-1-A", 90_003, split)
    assert found is not None
    assert (found.member, found.ours) == ("second order 90003", "90001")


def test_an_order_that_the_export_should_tell_and_does_not() -> None:
    looked = replace(ACTS, looked=Looked(NOW, NOW - timedelta(days=5)))
    untold = record(**{**ENTERED, "read_at": NOW - timedelta(minutes=1)})
    [found] = compare(untold, {NUMBER: placed()}, {}, looked)
    assert (found.member, found.ours, found.theirs, found.mend) == ("order", "SHIPPING", "absent", None)
    assert compare(record(**ENTERED), {NUMBER: placed()}, {}, looked) == [], "read since"
    just_now = replace(untold, order=replace(untold.order, updated_at=NOW))
    assert compare(just_now, {NUMBER: placed()}, {}, looked) == [], "updated as the export was made"
