"""Retries live in one place, the key: full jitter, capped. The transport never retries."""

from __future__ import annotations

import random
from datetime import datetime
from typing import assert_never

from app.clock import Clock
from app.engine.pauses import Pauses
from app.store.outbox import Claim, Held, Postponed, Verdict
from app.wire.outcome import Failure, NotSent, RefusalKind, Refused, Unknown


def backoff_seconds(attempts: int, base: float = 2.0, cap: float = 300.0) -> float:
    """Full jitter: anything up to base × 2^attempts, at most the cap, never below a tenth of the base."""
    ceiling = min(cap, base * 2 ** min(attempts, 16))
    return max(base / 10, random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret


def retry_at(clock: Clock, claim: Claim, base: float = 2.0, cap: float = 300.0) -> datetime:
    """When a key is tried again after its attempts so far."""
    return clock.after(backoff_seconds(claim.attempts, base, cap))


def after_failure(failure: Failure, claim: Claim, clock: Clock, pauses: Pauses, scope: str) -> Verdict:
    """What follows for a key whose *read* failed: wait as told, pause the scope, hold, or try again."""
    match failure:
        case NotSent(reason, seconds):
            until = retry_at(clock, claim) if seconds is None else clock.after(seconds)
            return Postponed(until, reason, called=False)
        case Refused(reason, _, RefusalKind.CREDENTIALS):
            pauses.pause(scope, reason)
            return Postponed(clock.after(1), reason, called=False)
        case Refused(reason):
            return Held(reason)
        case Unknown(reason):
            return Postponed(retry_at(clock, claim), reason)
    assert_never(failure)
