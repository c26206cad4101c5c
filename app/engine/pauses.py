"""A scope whose credentials are refused pauses: one probe a minute, no attempts burnt, and it resumes by itself."""

from __future__ import annotations

from app.clock import monotonic
from app.telemetry import metrics
from app.telemetry.logs import log

PROBE_SECONDS = 60.0


class Pauses:
    """Which scopes wait for a person to mend their credentials; by real time."""

    def __init__(self, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe_seconds = probe_seconds
        self._until: dict[str, float] = {}

    def pause(self, scope: str, reason: str) -> None:
        """Credentials were refused: leave the scope alone until the next probe."""
        if scope not in self._until:
            log.error("scope_paused", scope=scope, reason=reason)
        self._until[scope] = monotonic() + self._probe_seconds
        metrics.scope_paused.labels(scope).set(1)

    def resume(self, scope: str) -> None:
        """A call went through: the scope works again."""
        if self._until.pop(scope, None) is not None:
            log.info("scope_resumed", scope=scope)
        metrics.scope_paused.labels(scope).set(0)

    def give_back(self, scope: str) -> None:
        """The probe had nothing to ask for: somebody else may be it."""
        if scope in self._until:
            self._until[scope] = monotonic()

    def seconds_left(self, scope: str) -> float:
        """Real seconds until somebody may try again; 0 when the scope is not paused, or a probe is due."""
        until = self._until.get(scope)
        if until is None:
            return 0.0
        left = until - monotonic()
        if left <= 0:
            self._until[scope] = monotonic() + self._probe_seconds  # this caller is the probe
            return 0.0
        return left
