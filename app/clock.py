"""The only module that asks for the time.

Business time (what is due, how old, until when) is *app time*: the database's wall clock in production, and a clock
that the demo and the tests may offset, scale and advance. Leases, time-outs and drain are real time and go by
`time.monotonic`. The database has the same clock as `app_now()`; `store/time.py` keeps the two together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """App time passes at `scale` app seconds a real second, and read `app_at` when the wall clock read `real_at`."""

    app_at: datetime
    real_at: datetime
    scale: float = 1.0


class Clock:
    """App time. Without a rate it is the wall clock."""

    def __init__(self, rate: Rate | None = None) -> None:
        self._rate = rate

    @property
    def scale(self) -> float:
        """App seconds in a real second."""
        return self._rate.scale if self._rate else 1.0

    def follow(self, rate: Rate | None) -> None:
        """Go by another rate from now on; None is the wall clock."""
        self._rate = rate

    def now(self) -> datetime:
        """The app time now, in UTC."""
        real = datetime.now(UTC)
        if self._rate is None:
            return real
        return self._rate.app_at + (real - self._rate.real_at) * self._rate.scale

    def after(self, seconds: float) -> datetime:
        """The instant `seconds` of app time from now."""
        return self.now() + timedelta(seconds=seconds)

    def real_seconds_until(self, instant: datetime) -> float:
        """Real seconds until app time reads `instant`; 0 when it has passed."""
        return max(0.0, (instant - self.now()).total_seconds() / self.scale)


def wall_now() -> datetime:
    """The wall clock in UTC, for what the outside world signs or expires by it."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Real seconds from a fixed point, for leases and time-outs."""
    return time.monotonic()
