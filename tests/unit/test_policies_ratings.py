"""Where a shop stands to an operator's levels, what is left until them, and why an order counts as bad."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.domain.ratings import Cause, Levels, Measure, Rating, Source, Tally
from app.flows.ratings import marketplace_ratings
from app.flows.threads import replies_of
from app.mirakl.after_schema import Entity, Message, Sender, Thread, ThreadMetadata
from app.mirakl.ratings import Statistic, Statistics
from app.policies.ratings import Standing, exact, left_until, span, standing, told, value_of, why
from app.rating_settings import RatingSettings
from app.store.ratings import Reply

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNTED = [measure for measure in Measure if not measure.is_seconds]
tallies = st.integers(0, 400).flatmap(lambda n: st.builds(Tally, st.just(n), st.integers(0, n)))
percents = st.decimals(0, 100, places=1)


# ------------------------------------------------------------------------------------------------- figures, levels


@pytest.mark.parametrize(
    ("measure", "tally", "figure"),
    [
        (Measure.ACCEPTANCE, Tally(200, 5), "97.5"),
        (Measure.TRACKED, Tally(8, 8), "0"),
        (Measure.LATE, Tally(3, 1), "33.3333"),
        (Measure.LAPSED, Tally(0, 2), "2"),
        (Measure.ACCEPTANCE_TIME, Tally(4, seconds=Decimal(7200)), "1800"),
        (Measure.REPLY_TIME, Tally(), None),
        (Measure.INCIDENTS, Tally(), None),
    ],
)
def test_a_figure_is_told_in_its_measures_unit(measure: Measure, tally: Tally, figure: str | None) -> None:
    assert value_of(measure, tally) == (None if figure is None else Decimal(figure))


@pytest.mark.parametrize(
    ("measure", "value", "expected"),
    [
        (Measure.ACCEPTANCE, "97.1", Standing.FINE),
        (Measure.ACCEPTANCE, "97", Standing.NEAR),  # a warning is reached
        (Measure.ACCEPTANCE, "96", Standing.NEAR),  # a limit is passed
        (Measure.ACCEPTANCE, "95.9999", Standing.OVER),
    ],
)
def test_of_a_rate_that_falls_the_lower_figure_is_worse(measure: Measure, value: str, expected: Standing) -> None:
    assert standing(measure, Decimal(value), Levels(Decimal(97), Decimal(96))) is expected


@pytest.mark.parametrize(("lapsed", "expected"), [(0, Standing.FINE), (1, Standing.NEAR), (2, Standing.OVER)])
def test_one_lapse_warns_and_more_than_one_suspends(lapsed: int, expected: Standing) -> None:
    assert standing(Measure.LAPSED, Decimal(lapsed), Levels(Decimal(1), Decimal(1))) is expected


def test_below_a_number_of_orders_an_operator_does_not_rate() -> None:
    levels = Levels(limit=Decimal(5))
    assert standing(Measure.LATE, Decimal(50), levels, orders=24, least_orders=25) is Standing.UNRATED
    assert standing(Measure.LATE, Decimal(50), levels, orders=25, least_orders=25) is Standing.OVER
    assert standing(Measure.LATE, Decimal(50), levels, orders=None, least_orders=25) is Standing.OVER
    assert standing(Measure.LATE, None, levels) is Standing.UNRATED
    assert standing(Measure.LATE, Decimal(50), Levels()) is Standing.FINE


# ---------------------------------------------------------------------------------------------------------- what if


def after(measure: Measure, tally: Tally, more: int) -> Fraction | None:
    """The figure once so many more cases went wrong."""
    return exact(measure, Tally(tally.counted + (more if measure.grows else 0), tally.bad + more))


def is_there(measure: Measure, figure: Fraction | None, level: Decimal, *, reached: bool) -> bool:
    levels = Levels(warning=level) if reached else Levels(limit=level)
    return standing(measure, figure, levels) in (Standing.NEAR, Standing.OVER)


@given(st.sampled_from(COUNTED), tallies, percents, st.booleans())
def test_what_is_left_is_the_first_number_that_brings_it_there(
    measure: Measure, tally: Tally, level: Decimal, reached: bool
) -> None:
    left = left_until(measure, tally, level, reached=reached)
    most = 2000 if measure.grows or measure is Measure.LAPSED else tally.counted - tally.bad
    tried = range(min(most, 2000) + 1) if left is None else range(left + 1)
    there = [more for more in tried if is_there(measure, after(measure, tally, more), level, reached=reached)]
    if left is None:
        assert not there
    elif left > 2000:
        assert is_there(measure, after(measure, tally, left), level, reached=reached)
    else:
        assert there == [left]


def test_the_field_guides_own_example() -> None:
    """98 of 1200 lines late: at 8 % the warning is there, and 25 more until more than 10 %."""
    tally = Tally(1200, 98)
    assert left_until(Measure.LATE, tally, Decimal(8), reached=True) == 0
    assert left_until(Measure.LATE, tally, Decimal(10), reached=False) == 25
    assert value_of(Measure.LATE, Tally(1225, 123)) == Decimal("10.0408")
    assert value_of(Measure.LATE, Tally(1224, 122)) == Decimal("9.9673")


def test_of_an_average_time_nobody_can_tell_how_many_more() -> None:
    assert left_until(Measure.ACCEPTANCE_TIME, Tally(9, seconds=Decimal(90)), Decimal(20), reached=False) is None
    assert left_until(Measure.LATE, Tally(9, 1), None, reached=False) is None


# -------------------------------------------------------------------------------------------- the marketplace's own


def told_by(**members: tuple[tuple[str, float | None], ...]) -> Statistics:
    figures = {
        name: tuple(Statistic(period, None if value is None else Decimal(str(value))) for period, value in values)
        for name, values in members.items()
    }
    return Statistics(2001, AT, **figures)


def test_the_marketplaces_figures_are_those_of_the_channels_periods() -> None:
    statistics = told_by(
        orders_count=(("LAST_MONTH", 40), ("LAST_YEAR", 400)),
        approval_rate=(("LAST_MONTH", 97.5), ("LAST_YEAR", 99)),
        late_shipment_rate=(("LAST_MONTH", 1), ("LAST_YEAR", 12.5)),
        consecutive_refused_orders_count=(("ALL_SINCE_BEGINNING", 2),),
        incident_rate=(("LAST_MONTH", None),),
        refund_rate=(("LAST_SIX_MONTHS", 3), ("LAST_YEAR", 4)),
    )
    settings = RatingSettings.model_validate({"levels": {"late_percent": {"limit": 15, "period": "LAST_YEAR"}}})
    found = {rating.measure: rating for rating in marketplace_ratings(statistics, settings)}
    assert found[Measure.ACCEPTANCE] == Rating(
        Measure.ACCEPTANCE, Source.MARKETPLACE, Decimal("97.5"), "LAST_MONTH", 40, AT
    )
    assert (found[Measure.LATE].value, found[Measure.LATE].orders) == (Decimal("12.5"), 400)
    assert (found[Measure.LAPSED].value, found[Measure.LAPSED].orders) == (Decimal(2), None)  # it is told so alone
    assert found[Measure.INCIDENTS].value is None
    assert Measure.REFUNDED not in found  # told of other periods only
    assert Measure.TRACKED not in found  # not told at all


def test_rates_may_be_told_as_shares_and_times_never_are() -> None:
    statistics = told_by(approval_rate=(("LAST_MONTH", 0.975),), approval_delay=(("LAST_MONTH", 3600),))
    found = marketplace_ratings(statistics, RatingSettings(rates="share"))
    assert [rating.value for rating in found] == [Decimal("97.5"), Decimal(3600)]


def test_a_period_that_is_not_told_is_taken_only_where_no_other_is() -> None:
    assert told({"A": Decimal(1), "B": None}, "B") == ("B", None)
    assert told({"A": Decimal(1)}, "B") == ("A", Decimal(1))
    assert told({"A": Decimal(1), "C": Decimal(2)}, "B") is None
    assert told({}, "B") is None


# ----------------------------------------------------------------------------------------------------------- answers


def test_an_answer_is_measured_from_the_first_message_that_waited_for_it() -> None:
    written = [
        ("SHOP_USER", 0),  # nobody had asked
        ("CUSTOMER_USER", 1),
        ("OPERATOR_USER", 2),
        ("CUSTOMER_USER", 3),
        ("SHOP_USER", 5),
        ("SHOP_USER", 6),
        ("CUSTOMER_USER", 8),  # still waits
    ]
    messages = [Message(AT + hours * HOUR, Sender(side)) for side, hours in reversed(written)]
    thread = Thread("t-1", ThreadMetadata(), messages=(*messages, Message()), entities=(Entity("N-1-A", "MMP_ORDER"),))
    assert list(replies_of(thread)) == [Reply("t-1", AT + HOUR, AT + 5 * HOUR, "N-1-A")]


# ---------------------------------------------------------------------------------------------------------- reasons

CAUSE = Cause("N-1-A", AT, sku="VX-1", line_id="N-1-A-1", seen_at=AT + HOUR, accept_by=AT + 24 * HOUR)


@pytest.mark.parametrize(
    ("measure", "members", "words"),
    [
        (Measure.ACCEPTANCE, {"lapsed": True, "seen_at": AT + 25 * HOUR}, "lapsed: first read after its time was over"),
        (Measure.ACCEPTANCE, {"lapsed": True, "sent_at": AT + HOUR}, "lapsed: our answer of 2026-03-02 09:00"),
        (Measure.LAPSED, {"lapsed": True, "decided_at": AT + HOUR}, "decided at 2026-03-02 09:00, and no answer was"),
        (Measure.LAPSED, {"lapsed": True}, "lapsed: it was not decided in time"),
        (Measure.ACCEPTANCE, {"choice": "refuse", "decided_at": AT}, "refused: a person decided so"),
        (Measure.ACCEPTANCE, {}, "refused, but not by us"),
        (
            Measure.ACCEPTANCE,
            {"decided_at": AT, "steps": ("line N-1-A-1, VX-1: free 0: short", "line N-1-A-2, VX-2: covered")},
            "refused: line N-1-A-1, VX-1: free 0: short",
        ),
        (
            Measure.ACCEPTANCE_TIME,
            {"seconds": 30 * 3600.0, "decided_at": AT + 29 * HOUR},
            "answered after 30.0 h, read after 60 min, decided after 29.0 h",
        ),
        (Measure.LATE, {"seconds": 7200.0}, "late by 2.0 h: nothing of it left Centra's warehouse"),
        (
            Measure.LATE,
            {"seconds": 9000.0, "shipped_at": AT, "told_at": AT + HOUR},
            "late by 2.5 h: left the warehouse at 2026-03-02 08:00, told at 2026-03-02 09:00",
        ),
        (
            Measure.LATE,
            {"seconds": 90.0, "shipped_at": AT},
            "late by 90 s: left the warehouse at 2026-03-02 08:00, and",
        ),
        (Measure.TRACKED, {"parcel": "7", "carrier": "Nord Express"}, "parcel 7: tracking missing"),
        (
            Measure.TRACKED,
            {"parcel": "7", "carrier": "Nord Express", "tracking": "NE-1"},
            "parcel 7: Nord Express is not a registered carrier",
        ),
        (
            Measure.REFUNDED,
            {"reasons": ("17",), "ours": "OR28 of refunds"},
            "17 Goods came back; ours: OR28 of refunds",
        ),
        (Measure.CANCELLED, {"reasons": ("99",)}, "99"),
        (Measure.INCIDENTS, {}, "no reason told"),
        (Measure.REPLY_TIME, {"seconds": 200_000.0}, "answered after 2.3 d"),
    ],
)
def test_why_an_order_counts(measure: Measure, members: dict[str, object], words: str) -> None:
    cause = Cause(**{**{name: getattr(CAUSE, name) for name in CAUSE.__slots__}, **members})
    assert words in why(measure, cause, {"17": "Goods came back"})


@pytest.mark.parametrize(("seconds", "words"), [(45, "45 s"), (720, "12 min"), (27_000, "7.5 h"), (276_480, "3.2 d")])
def test_a_span_is_told_as_people_say_it(seconds: float, words: str) -> None:
    assert span(seconds) == words


# --------------------------------------------------------------------------------------------------------- settings


def test_each_measure_may_be_rated_over_a_time_of_its_own() -> None:
    told_ = {"window_days": 30, "levels": {"late_percent": {"warning": 8, "limit": 10.5, "window_days": 365}}}
    settings = RatingSettings.model_validate(told_)
    assert settings.window(Measure.LATE) == timedelta(days=365)
    assert settings.window(Measure.REFUNDED) == timedelta(days=30)
    assert settings.of(Measure.LATE).levels == Levels(Decimal(8), Decimal("10.5"))
    assert settings.of(Measure.REFUNDED).levels == Levels()


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({"late_percent": {"warning": 10, "limit": 8}}, "put it below the limit"),
        ({"acceptance_percent": {"warning": 90, "limit": 95}}, "put it above the limit"),
        ({"lateness": {"limit": 8}}, "lateness"),
        ({"late_percent": {"limit": -1}}, "greater than or equal to 0"),
    ],
)
def test_levels_that_can_never_be_are_refused(levels: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RatingSettings.model_validate({"levels": levels})
