"""The mass-change guard (business rule 4): what is unusual, when it is a mass change, and what is then held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import Sku
from app.domain.stock import Cause
from app.policies.guard import HELD, Change, GuardPolicy, Suspicion, held, suspicion, tripped

POLICY = GuardPolicy()
UNEXPLAINED = [Cause.MISSING, Cause.MAPPING, Cause.POLICY]


def change(before: int | None, after: int, cause: Cause = Cause.FREE, approved: int | None = None) -> Change:
    return Change(Sku("VX-100-M"), before, after, cause, version=5, approved_version=approved)


def skus(count: int, prefix: str = "VX") -> list[Sku]:
    return [Sku(f"{prefix}-{n}") for n in range(count)]


def alike(kind: Suspicion, count: int, prefix: str = "VX") -> dict[Sku, Suspicion]:
    return dict.fromkeys(skus(count, prefix), kind)


# ---------------------------------------------------------------------------------------------- what is unusual


@pytest.mark.parametrize("before", [1, 7, 1000])
def test_an_explicit_zero_is_sold_out(before: int) -> None:
    assert suspicion(change(before, 0), POLICY) is Suspicion.SOLD_OUT


@pytest.mark.parametrize("cause", UNEXPLAINED)
@pytest.mark.parametrize("before", [None, 1, 1000])
def test_a_zero_that_no_figure_explains_has_vanished(before: int | None, cause: Cause) -> None:
    assert suspicion(change(before, 0, cause), POLICY) is Suspicion.VANISHED


@pytest.mark.parametrize("cause", list(Cause))
def test_a_zero_that_the_marketplace_has_already_is_nothing_new(cause: Cause) -> None:
    assert suspicion(change(0, 0, cause), POLICY) is None


@pytest.mark.parametrize(
    ("before", "after", "jumps"),
    [
        (0, 100, False),  # 100 units more, and no more than that
        (0, 101, True),
        (1, 101, False),
        (1, 102, True),
        (11, 110, False),
        (11, 111, False),  # more than tenfold, exactly 100 units
        (12, 120, False),  # exactly tenfold
        (12, 121, True),
        (500, 5000, False),
        (500, 5001, True),
        (500, 400, False),
        (None, 9999, False),  # a first push has nothing to be compared with
    ],
)
def test_a_jump_is_more_than_tenfold_and_more_than_a_hundred_units(before: int | None, after: int, jumps: bool) -> None:
    assert suspicion(change(before, after), POLICY) is (Suspicion.JUMP if jumps else None)


def test_a_channel_may_set_what_a_jump_is() -> None:
    lenient = GuardPolicy(jump_factor=20, jump_units=1000)
    assert suspicion(change(10, 1010), lenient) is None
    assert suspicion(change(10, 1011), lenient) is Suspicion.JUMP


@pytest.mark.parametrize(("approved", "passes"), [(None, False), (4, False), (5, True), (6, True)])
@pytest.mark.parametrize("unusual", [change(8, 0, Cause.MAPPING), change(1, 500)])
def test_a_release_lets_versions_up_to_the_approved_one_pass(
    unusual: Change, approved: int | None, passes: bool
) -> None:
    assert (suspicion(replace(unusual, approved_version=approved), POLICY) is None) is passes


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from(list(Cause)))
def test_a_decrease_that_leaves_something_is_never_unusual(before: int, after: int, cause: Cause) -> None:
    if after <= before:
        assert suspicion(change(before, after, cause), POLICY) is None


# ------------------------------------------------------------------------------------------- when it is a mass


@pytest.mark.parametrize(
    ("count", "live", "mass"),
    [
        (50, 100, False),  # not more than 50
        (51, 100, True),
        (51, 510, False),  # exactly 10 %
        (51, 509, True),
        (52, 510, True),
        (213, 2130, False),
        (214, 2130, True),  # field case 85: a shop of 2,130 offers
    ],
)
def test_both_thresholds_have_to_be_passed(count: int, live: int, mass: bool) -> None:
    found = tripped(alike(Suspicion.VANISHED, count), {}, live, POLICY)
    assert found == (frozenset({Suspicion.VANISHED}) if mass else frozenset())


def test_what_went_before_within_the_hour_counts_and_no_sku_counts_twice() -> None:
    now = alike(Suspicion.JUMP, 30)
    same = {Suspicion.JUMP: frozenset(skus(30))}
    others = {Suspicion.JUMP: frozenset(skus(21, "AB"))}
    assert tripped(now, same, 100, POLICY) == frozenset()
    assert tripped(now, others, 100, POLICY) == {Suspicion.JUMP}


def test_each_kind_is_counted_by_itself() -> None:
    mixed = alike(Suspicion.VANISHED, 40) | alike(Suspicion.JUMP, 40, "AB")
    assert tripped(mixed, {Suspicion.SOLD_OUT: frozenset(skus(51, "CD"))}, 200, POLICY) == {Suspicion.SOLD_OUT}


kinds = st.dictionaries(st.sampled_from(skus(200)), st.sampled_from(list(Suspicion)), max_size=200)
earlier = st.dictionaries(st.sampled_from(list(Suspicion)), st.frozensets(st.sampled_from(skus(200))))


@given(kinds, st.integers(0, 3000), st.integers(0, 60))
def test_below_either_threshold_nothing_is_held(now: dict[Sku, Suspicion], live: int, least: int) -> None:
    few = GuardPolicy(least=len(now))
    small_share = GuardPolicy(least=least, share=1.0)
    assert held(now, tripped(now, {}, live, few)) == []
    assert held(now, tripped(now, {}, max(live, len(now)), small_share)) == []


@given(kinds, earlier, st.integers(0, 3000))
def test_explicit_zeros_are_never_held(
    now: dict[Sku, Suspicion], before: dict[Suspicion, frozenset[Sku]], live: int
) -> None:
    mass = tripped(now, before, live, GuardPolicy(least=0, share=0))
    assert all(now[sku] is not Suspicion.SOLD_OUT for sku in held(now, mass))


@given(kinds, earlier, st.integers(0, 3000))
def test_in_a_mass_change_every_sku_of_its_kind_is_held(
    now: dict[Sku, Suspicion], before: dict[Suspicion, frozenset[Sku]], live: int
) -> None:
    mass = tripped(now, before, live, POLICY)
    assert set(held(now, mass)) == {sku for sku, kind in now.items() if kind in mass & HELD}


@given(kinds, earlier, st.integers(0, 500), st.sampled_from(list(Suspicion)))
def test_more_suspicious_skus_never_calm_the_guard(
    now: dict[Sku, Suspicion], before: dict[Suspicion, frozenset[Sku]], live: int, kind: Suspicion
) -> None:
    more = now | {Sku("ONE-MORE"): kind}
    assert tripped(now, before, live, POLICY) <= tripped(more, before, live, POLICY)
