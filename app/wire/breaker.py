"""A circuit breaker: when a platform is down, ask it seldom instead of always.

Closed until several calls in a row end in doubt or find no connection; then open, and every call is refused
locally; after a pause one call is let through as a probe, and its end decides. Pauses double up to a minute,
so hours of maintenance cost about one call a minute and replica. It holds no state anyone must trust: a
replica that starts afresh pays a few failed calls and knows as much.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.wire.outcome import NotSent


@dataclass(frozen=True)
class BreakerLimits:
    failures: int = 5
    window_seconds: float = 60.0
    """Failures further apart than this do not add up."""
    first_pause_seconds: float = 2.0
    longest_pause_seconds: float = 60.0
    probe_seconds: float = 120.0
    """A probe that never reported back stops blocking others after this time."""


class Breaker:
    """One for each transport. Times are real (monotonic) seconds."""

    def __init__(
        self,
        limits: BreakerLimits | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limits = limits or BreakerLimits()
        self._monotonic = monotonic
        self._jitter = jitter
        self._failures = 0
        self._last_failure_at = -float("inf")
        self._pause_seconds = 0.0
        self._open_until = -float("inf")
        self._probe_until: float | None = None

    @property
    def is_open(self) -> bool:
        return self._pause_seconds > 0

    def admit(self) -> NotSent | None:
        """None: go ahead, and report `succeeded`, `failed` or `abandoned`. NotSent: stay away for a while."""
        if not self.is_open:
            return None
        now = self._monotonic()
        if now < self._open_until:
            return self._refusal(self._open_until - now)
        if self._probe_until is not None and now < self._probe_until:
            return self._refusal(self._limits.first_pause_seconds)
        self._probe_until = now + self._limits.probe_seconds
        return None

    def succeeded(self) -> None:
        """The far side answered like itself: a yes, a no, or a request to wait."""
        self._failures = 0
        self._pause_seconds = 0.0
        self._probe_until = None

    def failed(self, asked_to_wait_seconds: float | None = None) -> None:
        """No usable answer. `asked_to_wait_seconds`: a Retry-After that came with a 503."""
        now = self._monotonic()
        was_probe = self._probe_until is not None
        apart = now - self._last_failure_at > self._limits.window_seconds
        self._failures = 1 if apart and not was_probe else self._failures + 1
        self._last_failure_at = now
        self._probe_until = None
        late_finisher = self.is_open and not was_probe
        if self._failures >= self._limits.failures and not late_finisher:
            self._open(now, asked_to_wait_seconds or 0.0)

    def abandoned(self) -> None:
        """The call was cancelled by us: it says nothing about the far side, and frees the probe."""
        self._probe_until = None

    def _open(self, now: float, asked_to_wait_seconds: float) -> None:
        doubled = max(self._limits.first_pause_seconds, self._pause_seconds * 2)
        self._pause_seconds = min(doubled, self._limits.longest_pause_seconds)
        pause = max(self._pause_seconds, min(asked_to_wait_seconds, self._limits.longest_pause_seconds))
        self._open_until = now + pause * (0.9 + 0.2 * self._jitter())

    def _refusal(self, seconds: float) -> NotSent:
        return NotSent("the platform has stopped answering, calls are paused", seconds)
