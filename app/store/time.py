"""Keeps the clock of SQL and the clock of Python together.

In production there is no row in `app_clock` and both are the wall clock. The demo and the tests set a rate; every
replica follows it within a second.
"""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from app.clock import Clock, Rate, wall_now
from app.store.pool import Connection
from app.store.statements import sql, template


async def read_rate(connection: Connection) -> Rate | None:
    """The rate that app_now() goes by; None is the wall clock."""
    row = await connection.fetchrow(sql("app_clock/read"))
    return None if row is None else Rate(row["app_at"], row["real_at"], row["scale"])


async def set_rate(connection: Connection, rate: Rate) -> None:
    """Make app_now() go by a rate, at once and in every session. For the demo and the tests only."""
    async with connection.transaction():
        await connection.execute(sql("app_clock/write"), rate.app_at, rate.real_at, rate.scale)
        await connection.execute(
            template("app_clock/replace") % (rate.app_at.isoformat(), rate.real_at.isoformat(), rate.scale)
        )


async def advance(connection: Connection, seconds: float) -> Rate:
    """Let app time jump ahead, keeping its scale."""
    clock = Clock(await read_rate(connection))
    now = clock.now()
    rate = Rate(now + timedelta(seconds=seconds), wall_now(), clock.scale)
    await set_rate(connection, rate)
    return rate


async def set_rate_at(dsn: str, rate: Rate) -> None:
    """As `set_rate`, on a connection of its own; before any service runs."""
    connection = await asyncpg.connect(dsn)
    try:
        await set_rate(connection, rate)
    finally:
        await connection.close()
