"""One mark for each key, in one order for everybody, and the most urgent wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.store.marks import Mark, one_each

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
instants = st.none() | st.integers(0, 50).map(lambda minutes: NOON + timedelta(minutes=minutes))
names = st.sampled_from(["a", "b", "B", "é", "demo-fr"]) | st.text(max_size=3)
LANES = {"orders": 2, "refunds": 5}  # a rank belongs to a flow


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    flow = draw(st.sampled_from(["stock", "orders", "refunds"]))
    lane = draw(st.none() | st.just("D-1001-A")) if flow in LANES else None
    return Mark(
        draw(names),
        flow,
        draw(names),
        draw(st.sampled_from([0, 1, 2])),
        draw(instants),
        draw(instants),
        lane,
        LANES[flow] if lane else 0,
    )


def place(mark: Mark) -> tuple[str, str, str]:
    return mark.scope, mark.flow, mark.key


many = st.lists(marks(), max_size=30)


@given(many)
def test_each_key_is_marked_once_in_primary_key_order(given_marks: list[Mark]) -> None:
    places = [place(mark) for mark in one_each(given_marks)]
    assert places == sorted({place(mark) for mark in given_marks})


@given(many)
def test_the_order_is_that_of_the_bytes_as_the_database_has_it(given_marks: list[Mark]) -> None:
    encoded = [tuple(part.encode() for part in place(mark)) for mark in one_each(given_marks)]
    assert encoded == sorted(encoded)


@given(many)
def test_the_most_urgent_wins_member_by_member(given_marks: list[Mark]) -> None:
    for kept in one_each(given_marks):
        same = [mark for mark in given_marks if place(mark) == place(kept)]
        assert kept.priority == min(mark.priority for mark in same)
        dues = [mark.due_at for mark in same]
        assert kept.due_at == (None if None in dues else min(due for due in dues if due))
        known = [mark.since for mark in same if mark.since]
        assert kept.since == min(known, default=None)


@given(many, st.randoms())
def test_the_sequence_of_marks_makes_no_difference(given_marks: list[Mark], chance: Random) -> None:
    shuffled = list(given_marks)
    chance.shuffle(shuffled)
    assert one_each(shuffled) == one_each(given_marks)


@given(many)
def test_marks_that_were_gathered_stay_as_they_are(given_marks: list[Mark]) -> None:
    once = one_each(given_marks)
    assert one_each(once) == once
    assert one_each([*once, *once]) == once


def test_a_lane_comes_with_its_own_rank() -> None:
    bare = Mark("demo-fr", "refunds", "D-1001-A")
    in_lane = Mark("demo-fr", "refunds", "D-1001-A", lane="D-1001-A", lane_rank=5)
    assert one_each([bare, in_lane]) == one_each([in_lane, bare]) == [in_lane]


def test_now_is_sooner_than_any_time() -> None:
    later, now = Mark("demo-fr", "stock", "VX", due_at=NOON), Mark("demo-fr", "stock", "VX")
    assert one_each([later, now]) == one_each([now, later]) == [now]


def test_field_case_71_a_thousand_changes_of_one_sku_are_one_mark() -> None:
    changes = [Mark("demo-au", "stock", "VX-100-M", since=NOON + timedelta(seconds=n)) for n in range(1000)]
    assert one_each(reversed(changes)) == [Mark("demo-au", "stock", "VX-100-M", since=NOON)]


def test_no_marks_are_none() -> None:
    assert one_each([]) == []
