"""Keeps the clock of SQL and the clock of Python together.

Replicas follow the database's clock, within a second, so that one whose own clock is wrong does no harm. In production
that is the database's wall clock; the demo and the tests set a rate (a row in `app_clock`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.clock import Clock, Rate, wall_now
from app.store.hosts import open_connection
from app.store.pool import Connection
from app.store.statements import sql, template


@dataclass(frozen=True, slots=True)
class Reading:
    """The database's clock as just read, and whether somebody set it to be other than its wall clock."""

    rate: Rate
    is_set: bool


async def read_clock(connection: Connection) -> Reading:
    """What app_now() says, beside our own wall clock in the middle of asking."""
    before = wall_now()
    row = await connection.fetchrow(sql("app_clock/read"))
    assert row is not None
    middle = before + (wall_now() - before) / 2
    return Reading(Rate(row["app_at"], middle, row["scale"] or 1.0), row["scale"] is not None)


async def set_rate(connection: Connection, rate: Rate) -> None:
    """Make app_now() go by a rate, at once and in every session. For the demo and the tests only."""
    async with connection.transaction():
        await connection.execute(sql("app_clock/write"), rate.app_at, rate.real_at, rate.scale)
        await connection.execute(
            template("app_clock/replace") % (rate.app_at.isoformat(), rate.real_at.isoformat(), rate.scale)
        )


async def advance(connection: Connection, seconds: float) -> Rate:
    """Let app time jump ahead, keeping its scale."""
    clock = Clock((await read_clock(connection)).rate)
    now = clock.now()
    rate = Rate(now + timedelta(seconds=seconds), wall_now(), clock.scale)
    await set_rate(connection, rate)
    return rate


async def set_rate_at(dsn: str, rate: Rate) -> None:
    """As `set_rate`, on a connection of its own; before any service runs."""
    connection = await open_connection(dsn)
    try:
        await set_rate(connection, rate)
    finally:
        await connection.close()
