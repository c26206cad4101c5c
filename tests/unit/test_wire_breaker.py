"""The breaker: when it opens, whom it lets probe, how it closes."""

from hypothesis import given
from hypothesis import strategies as st

from app.wire.breaker import Breaker, BreakerLimits
from app.wire.outcome import NotSent


class Watch:
    now = 0.0


def breaker_on(watch: Watch, **limits: float) -> Breaker:
    return Breaker(
        BreakerLimits(**{"failures": 3, **limits}),  # type: ignore[arg-type]
        monotonic=lambda: watch.now,
        jitter=lambda: 0.5,
    )


def opened(watch: Watch) -> Breaker:
    breaker = breaker_on(watch)
    for _ in range(3):
        assert breaker.admit() is None
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row_and_says_when_to_come_back() -> None:
    breaker = opened(Watch())
    refusal = breaker.admit()
    assert isinstance(refusal, NotSent)
    assert refusal.retry_at_seconds == 2.0


def test_a_success_between_keeps_it_closed() -> None:
    breaker = breaker_on(Watch())
    for _ in range(10):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.admit() is None


def test_failures_far_apart_do_not_add_up() -> None:
    watch = Watch()
    breaker = breaker_on(watch)
    for _ in range(10):
        breaker.failed()
        watch.now += 61.0
    assert breaker.admit() is None


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    watch = Watch()
    breaker = opened(watch)
    watch.now = 2.1
    assert breaker.admit() is None
    assert isinstance(breaker.admit(), NotSent)
    breaker.succeeded()
    assert breaker.admit() is None
    assert breaker.admit() is None


def test_pauses_double_up_to_a_minute() -> None:
    watch = Watch()
    breaker = opened(watch)
    pauses = []
    for _ in range(8):
        refusal = breaker.admit()
        assert isinstance(refusal, NotSent)
        pauses.append(refusal.retry_at_seconds)
        watch.now += (refusal.retry_at_seconds or 0) + 0.001
        assert breaker.admit() is None
        breaker.failed()
    assert [round(pause or 0) for pause in pauses] == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_that_the_platform_asks_for_is_kept_within_a_minute() -> None:
    breaker = breaker_on(Watch(), failures=1)
    breaker.failed(asked_to_wait_seconds=30.0)
    refusal = breaker.admit()
    assert isinstance(refusal, NotSent)
    assert refusal.retry_at_seconds == 30.0


def test_an_abandoned_probe_frees_the_place() -> None:
    watch = Watch()
    breaker = opened(watch)
    watch.now = 2.1
    assert breaker.admit() is None
    breaker.abandoned()
    assert breaker.admit() is None


def test_a_probe_that_never_ends_does_not_block_for_ever() -> None:
    watch = Watch()
    breaker = opened(watch)
    watch.now = 2.1
    assert breaker.admit() is None
    watch.now += 121.0
    assert breaker.admit() is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["succeeded", "failed", "abandoned"]), st.floats(0, 200, allow_nan=False)),
        max_size=60,
    )
)
def test_whatever_happened_it_lets_a_call_through_again(history: list[tuple[str, float]]) -> None:
    watch = Watch()
    breaker = breaker_on(watch)
    for event, seconds in history:
        watch.now += seconds
        if breaker.admit() is None:
            getattr(breaker, event)()
    watch.now += 130.0
    assert breaker.admit() is None
