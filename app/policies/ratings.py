"""Where a shop stands between an operator's warning and limit, how much is left until either, and why an order counts.

Operators publish limits as "more than" or "less than", so a limit is passed, not reached; a warning is given once its
figure is reached, which is the earlier of both readings. Below a number of orders an operator does not rate at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from app.domain.ratings import Cause, Levels, Measure, Tally

PLACES = Decimal("0.0001")


class Standing(StrEnum):
    """How a figure stands to its levels."""

    FINE = "fine"
    NEAR = "near"
    """At the warning or past it."""
    OVER = "over"
    """Past the limit."""
    UNRATED = "unrated"
    """Nothing to rate, or too few orders."""


def exact(measure: Measure, tally: Tally) -> Fraction | None:
    """The figure of a tally in the measure's unit; None: there is nothing to rate."""
    if measure is Measure.LAPSED:
        return Fraction(tally.bad)
    if not tally.counted:
        return None
    if measure.is_seconds:
        return Fraction(tally.seconds) / tally.counted
    good = tally.counted - tally.bad
    return Fraction(100 * (good if measure.falls else tally.bad), tally.counted)


def value_of(measure: Measure, tally: Tally) -> Decimal | None:
    """The same as a number for people and metrics, four places."""
    figure = exact(measure, tally)
    if figure is None:
        return None
    return (Decimal(figure.numerator) / figure.denominator).quantize(PLACES, ROUND_HALF_EVEN)


def standing(
    measure: Measure,
    value: Fraction | Decimal | None,
    levels: Levels,
    *,
    orders: int | None = None,
    least_orders: int = 0,
) -> Standing:
    """How a figure stands; `orders` behind it, None where nobody says how many."""
    if value is None or (orders is not None and orders < least_orders):
        return Standing.UNRATED
    figure = Fraction(value)
    if levels.limit is not None and _past(measure, figure, levels.limit):
        return Standing.OVER
    if levels.warning is not None and (figure == levels.warning or _past(measure, figure, levels.warning)):
        return Standing.NEAR
    return Standing.FINE


def _past(measure: Measure, figure: Fraction, level: Decimal) -> bool:
    return figure < level if measure.falls else figure > level


def left_until(measure: Measure, tally: Tally, level: Decimal | None, *, reached: bool) -> int | None:
    """How many more bad cases bring the figure to a level (`reached`) or past it; 0: it is there.

    None: no number of them does, or, of an average time, none can be told. The next refused, late or untracked case
    is a new one, so that what is counted grows with it; a cancelation, incident or refund befalls a line that counts
    already.
    """
    if level is None or measure.is_seconds:
        return None
    wanted, counted, bad = Fraction(level), tally.counted, tally.bad
    if measure is Measure.LAPSED:
        return _first(wanted - bad, reached=reached)
    if not measure.grows:
        more = _first(wanted * counted / 100 - bad, reached=reached)
        return more if counted and more <= counted - bad else None
    # Of n + k cases b + k are bad: the least k for which their share, 100 (b + k) / (n + k), is the wanted one.
    share = 100 - wanted if measure.falls else wanted
    least = 0 if counted else 1
    if share >= 100:
        return least if reached and share == 100 and counted == bad else None
    return max(least, _first((share * counted - 100 * bad) / (100 - share), reached=reached))


def _first(bound: Fraction, *, reached: bool) -> int:
    """The first whole number, from 0, that is at least the bound, or above it."""
    return max(0, math.ceil(bound) if reached else math.floor(bound) + 1)


def told(figures: Mapping[str, Decimal | None], period: str) -> tuple[str, Decimal | None] | None:
    """The figure of a period; where the marketplace tells only one, that one. None: it tells none that we can take."""
    if period in figures:
        return period, figures[period]
    return next(iter(figures.items())) if len(figures) == 1 else None


# ------------------------------------------------------------------------------------------------------- why it counts


def why(measure: Measure, cause: Cause, labels: Mapping[str, str] | None = None) -> str:
    """Why an order counts as bad, in words; `labels`: what the marketplace calls its reasons, by code."""
    match measure:
        case Measure.ACCEPTANCE | Measure.LAPSED:
            return _lapsed(cause) if cause.lapsed else _refused(cause)
        case Measure.ACCEPTANCE_TIME:
            return _answered(cause)
        case Measure.LATE:
            return _late(cause)
        case Measure.TRACKED:
            return _untracked(cause)
        case Measure.CANCELLED | Measure.INCIDENTS | Measure.REFUNDED:
            return _given(cause, labels or {})
        case Measure.REPLY_TIME:
            return f"answered after {span(cause.seconds or 0)}"
    assert_never(measure)


def _lapsed(cause: Cause) -> str:
    if cause.seen_at is not None and cause.accept_by is not None and cause.seen_at >= cause.accept_by:
        return "lapsed: first read after its time was over"
    if cause.sent_at is not None:
        return f"lapsed: our answer of {_at(cause.sent_at)} was not taken"
    if cause.decided_at is not None:
        return f"lapsed: decided at {_at(cause.decided_at)}, and no answer was sent"
    return "lapsed: it was not decided in time"


def _refused(cause: Cause) -> str:
    if cause.choice == "refuse":
        return "refused: a person decided so"
    if cause.decided_at is None:
        return "refused, but not by us"
    about = [step for step in cause.steps if cause.line_id is None or f"line {cause.line_id}," in step]
    return "refused: " + ("; ".join(about or cause.steps) or "by the channel's policy")


def _answered(cause: Cause) -> str:
    steps = [f"answered after {span(cause.seconds or 0)}"]
    if cause.seen_at is not None:
        steps.append(f"read after {_since(cause.at, cause.seen_at)}")
    if cause.decided_at is not None:
        steps.append(f"decided after {_since(cause.at, cause.decided_at)}")
    return ", ".join(steps)


def _late(cause: Cause) -> str:
    words = f"late by {span(cause.seconds or 0)}"
    if cause.shipped_at is None:
        return f"{words}: nothing of it left Centra's warehouse as far as we know"
    left = f"left the warehouse at {_at(cause.shipped_at)}"
    return (
        f"{words}: {left}, told at {_at(cause.told_at)}" if cause.told_at else f"{words}: {left}, and is not told yet"
    )


def _untracked(cause: Cause) -> str:
    parcel = f"parcel {cause.parcel}" if cause.parcel else "a parcel"
    if not cause.tracking:
        return f"{parcel}: tracking missing"
    return f"{parcel}: {cause.carrier or 'its carrier'} is not a registered carrier, so nobody can check the number"


def _given(cause: Cause, labels: Mapping[str, str]) -> str:
    named = (
        ", ".join(f"{code} {labels[code]}" if code in labels else code for code in cause.reasons) or "no reason told"
    )
    return f"{named}; ours: {cause.ours}" if cause.ours else named


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `7.5 h`, `3.2 d`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"


def _since(start: datetime, end: datetime) -> str:
    return span(max(0.0, (end - start).total_seconds()))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
