"""App time: the wall clock, or one that is offset, scaled and put forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock, Rate, monotonic, wall_now

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SOON = timedelta(seconds=10)
"""More than a few lines of Python take on a busy machine."""


def test_without_a_rate_it_is_the_wall_clock_in_utc() -> None:
    clock = Clock()
    before, said, after = wall_now(), clock.now(), wall_now()
    assert before <= said <= after
    assert said.tzinfo is UTC
    assert clock.scale == 1.0


def test_an_offset_clock_reads_as_its_rate_says() -> None:
    clock = Clock(Rate(NEW_YEAR, wall_now()))
    assert NEW_YEAR <= clock.now() < NEW_YEAR + SOON


def test_a_scaled_clock_runs_faster_between_two_instants() -> None:
    an_hour_ago = wall_now() - timedelta(hours=1)
    clock = Clock(Rate(NEW_YEAR, an_hour_ago, scale=24))
    assert timedelta(days=1) <= clock.now() - NEW_YEAR < timedelta(days=1) + 24 * SOON
    assert clock.scale == 24


def test_following_another_rate_jumps_and_none_is_the_wall_clock_again() -> None:
    clock = Clock()
    clock.follow(Rate(NEW_YEAR, wall_now(), scale=60))
    assert NEW_YEAR <= clock.now() < NEW_YEAR + 60 * SOON
    clock.follow(None)
    assert abs(clock.now() - wall_now()) < SOON
    assert clock.scale == 1.0


@given(st.sampled_from([0.5, 1.0, 60.0, 3600.0]), st.floats(-1e6, 1e6))
def test_an_instant_after_some_app_seconds_is_that_far_in_real_seconds_by_scale(scale: float, seconds: float) -> None:
    clock = Clock(Rate(NEW_YEAR, wall_now(), scale))
    real = clock.real_seconds_until(clock.after(seconds))
    assert 0 <= real <= max(0.0, seconds / scale) + 1e-3
    assert real >= seconds / scale - SOON.total_seconds()


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_an_instant_that_has_passed_is_no_time_away(scale: float) -> None:
    clock = Clock(Rate(NEW_YEAR, wall_now(), scale))
    assert clock.real_seconds_until(NEW_YEAR - timedelta(days=400)) == 0.0


def test_leases_go_by_a_clock_that_never_goes_back() -> None:
    readings = [monotonic() for _ in range(1000)]
    assert readings == sorted(readings)
