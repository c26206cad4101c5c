"""Measures how late the event loop turns: what blocks it keeps every flow, webhook and health answer waiting."""

from __future__ import annotations

import anyio

from app.clock import monotonic
from app.telemetry import metrics

TURN_SECONDS = 0.25


async def watch_loop() -> None:
    """Sleep and see how much longer it took, for ever."""
    while True:
        began = monotonic()
        await anyio.sleep(TURN_SECONDS)
        metrics.loop_delay_seconds.observe(max(0.0, monotonic() - began - TURN_SECONDS))
