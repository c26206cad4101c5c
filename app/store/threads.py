"""Conversations about orders that wait for an answer, and incidents: how many, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection, Database
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class Listed:
    """One thread. `waiting_since` None: nothing in it waits for an answer of ours."""

    thread_id: str
    order_id: str | None
    waiting_since: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What buyers of a channel wait for."""

    threads: int
    since: datetime | None
    incidents: int


async def store(connection: Connection, scope: str, threads: Sequence[Listed]) -> None:
    """Write down threads as they were listed."""
    rows = sorted({thread.thread_id: thread for thread in threads}.values(), key=lambda thread: thread.thread_id)
    await connection.execute(
        sql("thread/store"),
        scope,
        [thread.thread_id for thread in rows],
        [thread.order_id for thread in rows],
        [thread.waiting_since for thread in rows],
        [thread.updated_at for thread in rows],
    )


async def watch(database: Database) -> dict[str, Waiting]:
    """By channel, for those where anything waits."""
    rows = await database.desk.fetch(sql("thread/watch"))
    return {row["scope"]: Waiting(row["waiting"], row["since"], row["incidents"]) for row in rows}
