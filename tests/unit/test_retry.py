"""What follows a failed read, how long a key waits, how a scope with bad credentials rests; how far calls are apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock, Rate, wall_now
from app.engine.pauses import PROBE_SECONDS, Pauses
from app.engine.retry import after_failure, backoff_seconds, retry_at
from app.mirakl import quotas
from app.store.outbox import Claim, Held, Postponed
from app.wire.outcome import NotSent, RefusalKind, Refused, Unknown, outcome_of_status

SCOPE = "demo-au"
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SOON = timedelta(seconds=10)


def claim(attempts: int = 1) -> Claim:
    return Claim("VX-100-M", version=1, claim=9, attempts=attempts, due_at=NEW_YEAR, dirty_since=NEW_YEAR)


@pytest.fixture
def clock() -> Clock:
    return Clock(Rate(NEW_YEAR, wall_now()))


# ------------------------------------------------------------------------------------------------------ backoff

attempts = st.integers(0, 10**6)
bases = st.floats(0.1, 600)


@given(attempts, bases, st.floats(600, 7200))
def test_a_wait_is_at_least_a_tenth_of_the_base_and_at_most_the_cap(tries: int, base: float, cap: float) -> None:
    assert base / 10 <= backoff_seconds(tries, base, cap) <= cap


@given(st.integers(0, 30), bases)
def test_a_wait_is_at_most_the_base_doubled_with_each_attempt(tries: int, base: float) -> None:
    assert backoff_seconds(tries, base, 1e12) <= base * 2**tries


def test_waits_are_spread_so_that_keys_do_not_come_back_together() -> None:
    waits = sorted(backoff_seconds(6) for _ in range(400))
    assert waits[0] < 20
    assert waits[-1] > 100
    assert len(set(waits)) > 300


def test_the_usual_wait_grows_and_ends_at_five_minutes() -> None:
    longest = [max(backoff_seconds(n) for _ in range(200)) for n in (0, 3, 6)]
    assert longest == sorted(longest)
    assert max(backoff_seconds(1000) for _ in range(200)) <= 300


def test_a_key_is_due_again_by_app_time(clock: Clock) -> None:
    due = retry_at(clock, claim(3), base=60, cap=600)
    assert NEW_YEAR + timedelta(seconds=6) <= due <= NEW_YEAR + timedelta(seconds=480) + SOON


# ------------------------------------------------------------------------------------------------ after a failure


@pytest.mark.parametrize("seconds", [0.0, 120.0, 86_400.0])
def test_a_wait_that_was_asked_for_is_kept_to_the_second_and_costs_no_attempt(clock: Clock, seconds: float) -> None:
    verdict = after_failure(NotSent("told to wait", seconds), claim(), clock, Pauses(), SCOPE)
    assert isinstance(verdict, Postponed)
    assert timedelta(0) <= verdict.until - NEW_YEAR - timedelta(seconds=seconds) < SOON
    assert (verdict.called, verdict.reason) == (False, "told to wait")


def test_a_call_that_was_not_sent_waits_by_itself_when_nobody_says_how_long(clock: Clock) -> None:
    verdict = after_failure(NotSent("no connection"), claim(2), clock, Pauses(), SCOPE)
    assert isinstance(verdict, Postponed)
    assert timedelta(seconds=0.2) <= verdict.until - NEW_YEAR <= timedelta(seconds=8) + SOON
    assert not verdict.called


def test_refused_credentials_pause_the_scope_and_burn_no_attempt(clock: Clock) -> None:
    pauses = Pauses()
    refusal = Refused("key expired", 401, RefusalKind.CREDENTIALS)
    verdict = after_failure(refusal, claim(), clock, pauses, SCOPE)
    assert isinstance(verdict, Postponed)
    assert not verdict.called
    assert PROBE_SECONDS - SOON.total_seconds() < pauses.seconds_left(SCOPE) <= PROBE_SECONDS
    assert pauses.seconds_left("demo-fr") == 0.0  # one marketplace's trouble stays there


@pytest.mark.parametrize("kind", [RefusalKind.INVALID, RefusalKind.MISSING, RefusalKind.USER_ERRORS])
def test_field_case_72_a_refusal_is_not_repeated_by_time_but_by_change(clock: Clock, kind: RefusalKind) -> None:
    pauses = Pauses()
    verdict = after_failure(Refused("carrier_code is wrong", 400, kind), claim(6), clock, pauses, SCOPE)
    assert verdict == Held("carrier_code is wrong", firm=False)  # a mark, as by a corrected map, ends it
    assert pauses.seconds_left(SCOPE) == 0.0


@given(attempts)
def test_field_case_71_a_night_of_503_never_uses_up_a_key(tries: int) -> None:
    failure = outcome_of_status(503, b"<html><title>Maintenance</title></html>")
    assert isinstance(failure, Unknown)
    clock = Clock(Rate(NEW_YEAR, wall_now()))
    verdict = after_failure(failure, claim(tries), clock, Pauses(), SCOPE)
    assert isinstance(verdict, Postponed)  # however often: neither held nor given up
    assert verdict.until <= NEW_YEAR + timedelta(seconds=300) + SOON
    assert "Maintenance" in verdict.reason


# ------------------------------------------------------------------------------------------------------- pauses


async def test_one_caller_probes_and_the_others_go_on_waiting() -> None:
    pauses = Pauses(probe_seconds=0.2)
    pauses.pause(SCOPE, "key expired")
    assert 0 < pauses.seconds_left(SCOPE) <= 0.2
    with anyio.fail_after(10):
        while (left := pauses.seconds_left(SCOPE)) > 0:  # noqa: ASYNC110 - nothing tells; that is the question
            await anyio.sleep(left)
    assert pauses.seconds_left(SCOPE) > 0  # that was the probe


def test_a_call_that_went_through_ends_the_pause_and_a_refused_probe_begins_it_anew() -> None:
    pauses = Pauses()
    pauses.pause(SCOPE, "key expired")
    pauses.resume(SCOPE)
    assert pauses.seconds_left(SCOPE) == 0.0
    pauses.resume(SCOPE)  # once too often is no harm
    pauses.pause(SCOPE, "key expired")
    first = pauses.seconds_left(SCOPE)
    pauses.pause(SCOPE, "key expired")
    assert pauses.seconds_left(SCOPE) >= first


# ------------------------------------------------------------------------------------------------------- quotas

profiles: tuple[quotas.Profile, ...] = ("standard", "external_partner")
ceilings = st.sampled_from([(code, profile) for profile in profiles for code in quotas.codes(profile)])


@given(ceilings, st.floats(1, 10_000))
def test_calls_are_spaced_by_the_ceiling_and_a_margin(ceiling: tuple[str, quotas.Profile], scale: float) -> None:
    code, profile = ceiling
    documented = quotas.ceiling_of(code, profile).spacing_seconds
    spacing = quotas.spacing_seconds(code, profile, scale)
    assert spacing >= documented * 1.02 * (1 - 1e-12)
    assert (spacing - documented) / scale >= 0.1 * (1 - 1e-6) or documented * 0.02 >= 0.1 * scale


@pytest.mark.parametrize(
    ("code", "seconds"),
    [("STO01", 61.2), ("STO02", 15.3), ("STO03", 61.2), ("OF52", 61.2), ("OF52.full", 88_128.0), ("OR31", 0.3)],
)
def test_the_figures_that_stock_lives_by(code: str, seconds: float) -> None:
    assert quotas.spacing_seconds(code) == pytest.approx(seconds)


def test_an_external_partner_reads_orders_every_quarter_of_an_hour_and_all_else_alike() -> None:
    differs = [c for c in quotas.codes() if quotas.ceiling_of(c) != quotas.ceiling_of(c, "external_partner")]
    assert differs == ["OR11.pass"]
    assert quotas.spacing_seconds("OR11.pass", "external_partner") == pytest.approx(918)


@given(ceilings)
def test_a_wait_that_was_asked_for_is_believed_at_least_as_long_as_the_ceiling(
    ceiling: tuple[str, quotas.Profile],
) -> None:
    code, profile = ceiling
    longest = quotas.longest_wait_seconds(code, profile)
    assert longest >= quotas.spacing_seconds(code, profile) * 0.98
    assert 3_600 <= longest <= 26 * 3_600


def test_a_code_without_a_ceiling_is_not_called() -> None:
    with pytest.raises(KeyError):
        quotas.spacing_seconds("XX99")
