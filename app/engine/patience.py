"""A call whose missing permit is waited for on the spot, where giving up would begin a whole walk anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from app.engine.flow import Pass
from app.wire.outcome import NotSent, Outcome

T = TypeVar("T")
PATIENCE_SECONDS = 60.0


async def patiently(turn: Pass, call: Callable[[], Awaitable[Outcome[T]]]) -> Outcome[T]:
    """The outcome of `call`, made again once it may be; a wait of more than a minute of app time is its outcome."""
    while True:
        answer = await call()
        seconds = answer.retry_at_seconds if isinstance(answer, NotSent) else None
        if seconds is None or seconds >= PATIENCE_SECONDS:
            return answer
        await anyio.sleep(seconds / turn.services.clock.scale)
        if not turn.still_ours:
            await turn.extend()
