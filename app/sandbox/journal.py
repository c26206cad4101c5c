"""What happened at a stand-in: the calls that arrived and, apart from them, what was applied.

`CallLog` is for the ceilings (who called how often, who called too soon). `Ledger` is the oracle of the
tests: append-only, one entry for each thing that was really done, whatever the caller was told.
"""

from collections import Counter, deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from app.sandbox.clock import Clock, iso

# The X-Effect-Id header of the request being worked on; work done later keeps the value it saw.
EFFECT_ID: ContextVar[str | None] = ContextVar("sandbox_effect_id", default=None)

_KEPT_CALLS = 10_000


@dataclass(slots=True)
class LoggedCall:
    """One arrival. `status` stays None when no answer left."""

    code: str
    at: float
    at_real: float
    method: str
    path: str
    effect: str | None
    status: int | None = None
    fault: str | None = None

    def public(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "at": iso(self.at),
            "at_real": self.at_real,
            "status": self.status,
            "effect": self.effect,
            "method": self.method,
            "path": self.path,
            "fault": self.fault,
        }


class CallLog:
    """Arrivals by code, every arrival above a ceiling, and every Retry-After that still runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._violations: list[dict[str, Any]] = []
        self._log: deque[LoggedCall] = deque(maxlen=_KEPT_CALLS)
        self._closed_until: dict[str, float] = {}

    def arrived(self, code: str, method: str, path: str, effect: str | None) -> LoggedCall:
        call = LoggedCall(code, self._clock.timestamp(), self._clock.real(), method, path, effect)
        self._counts[code] += 1
        self._log.append(call)
        return call

    def violated(self, call: LoggedCall, ceiling: str) -> None:
        self._violations.append(
            {
                "code": call.code,
                "at": iso(call.at),
                "at_real": call.at_real,
                "ceiling": ceiling,
                "effect": call.effect,
            }
        )

    def refused(self, code: str, retry_after_seconds: float | None) -> None:
        """Counts a 429. Until its wait is over, a further arrival of the code is a violation."""
        self._refused[code] += 1
        if retry_after_seconds is not None:
            until = self._clock.timestamp() + retry_after_seconds
            self._closed_until[code] = max(until, self._closed_until.get(code, 0.0))

    def closed_for(self, code: str) -> float:
        """App seconds for which a Retry-After that was given for this code still runs; 0 when none does."""
        return max(0.0, self._closed_until.get(code, 0.0) - self._clock.timestamp())

    def public(self, code: str | None = None) -> dict[str, Any]:
        """The answer of GET /_sandbox/calls; `code` narrows the log alone."""
        return {
            "calls": dict(self._counts),
            "refused_429": dict(self._refused),
            "violations": list(self._violations),
            "log": [call.public() for call in self._log if code is None or call.code == code],
        }


class Ledger:
    """Append-only list of what was applied, in order. Entries are never changed or removed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, code: str, *, effect: str | None = None, **facts: Any) -> None:
        """Adds one applied thing at the current app time.

        `effect` is the X-Effect-Id of the request that caused it; by default of the one being worked on.
        Members: seq (from 1), code, at, at_real, effect and whatever ids and values the caller names.
        """
        self._entries.append(
            {
                "seq": len(self._entries) + 1,
                "code": code,
                "at": self._clock.timestamp(),
                "at_real": self._clock.real(),
                "effect": effect if effect is not None else EFFECT_ID.get(),
                **facts,
            }
        )

    def public(self, *, code: str | None = None, after: int = 0) -> dict[str, Any]:
        """Entries with seq above `after`, of one code if named; `total` counts all there are."""
        chosen = [e for e in self._entries[max(after, 0) :] if code is None or e["code"] == code]
        return {"entries": [{**e, "at": iso(e["at"])} for e in chosen], "total": len(self._entries)}
