"""A pay-out that does not come because its billing cycle does not: nothing tells of it, so the calendar does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.domain.settlement import Difference, Kind


def cycle_missing(
    last: datetime | None, currency: str, every: timedelta, grace: timedelta, now: datetime
) -> Iterator[Difference]:
    """One difference where the next cycle should have been closed; before the first one nobody can tell."""
    if last is None or now - last < every + grace:
        return
    words = f"no billing cycle was closed since {last:%Y-%m-%d}, though one is every {every / timedelta(days=1):g} days"
    yield Difference(Kind.PAYOUT_LATE, f"{Kind.PAYOUT_LATE}:missing", currency, None, None, words)
