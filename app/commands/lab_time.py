"""App time of a lab: what it is, and how days go by at once."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import anyio

from app.clock import Rate, wall_now
from app.commands.lab import Json, Lab
from app.store.time import set_rate_at

UNDER_WAY_SECONDS = 0.05
"""Real ones, until a call that was sent has arrived."""


async def time_of(running: Lab) -> datetime:
    """As the stand-ins have it, UTC."""
    return await _ask(running)


async def let_pass(running: Lab, seconds: float) -> datetime:
    """Let app time jump ahead, at the stand-ins and for the service; what it is after that.

    Replicas stand still meanwhile: a call that was allowed by one time must not be counted in the other.
    """
    awake = [replica.process for replica in running.replicas if replica.process.poll() is None]
    for process in awake:
        process.send_signal(signal.SIGSTOP)
    try:
        await anyio.sleep(UNDER_WAY_SECONDS)
        now = await _ask(running, {"advance_seconds": seconds})
        await set_rate_at(running.dsn, Rate(now, wall_now(), running.shape.scale))
    finally:
        for process in awake:
            process.send_signal(signal.SIGCONT)
    return now


async def _ask(running: Lab, body: Json = None) -> datetime:
    told = await running.ask(running.centra, "/_sandbox/clock", body)
    return datetime.fromisoformat(str(told["now"])).astimezone(UTC)
