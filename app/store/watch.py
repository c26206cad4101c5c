"""What gauges ask for beside the census of keys: parcels not told, doubts, differences, silence, and the database.

Read off the hot path, from the pool for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.store.pool import Database
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class Pending:
    """So many things that wait for their end, and since when the oldest does."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Silence:
    """When the newest order was created; the longest time between two that is usual now, None: nobody can tell."""

    newest: datetime | None
    usual_gap: timedelta | None


@dataclass(frozen=True, slots=True)
class Size:
    """What the database takes: bytes on disk, connections by state, rows and dead rows by table (estimates)."""

    size_bytes: int
    connections: Mapping[str, int]
    tables: Mapping[str, tuple[int, int]]


async def untold_shipments(database: Database) -> dict[str, Pending]:
    """Parcels shipped in Centra and not confirmed at the marketplace, by channel."""
    rows = await database.desk.fetch(sql("intent/untold"))
    return {row["scope"]: Pending(row["parcels"], row["since"]) for row in rows}


async def doubtful_effects(database: Database) -> dict[tuple[str, str], Pending]:
    """Outside writes of which nobody knows how they ended, by scope and flow."""
    rows = await database.desk.fetch(sql("effect/doubtful"))
    return {(row["scope"], row["flow"]): Pending(row["effects"], row["since"]) for row in rows}


async def stock_differences(database: Database) -> dict[str, int]:
    """Offers whose live quantity is not what was confirmed, by channel."""
    return {row["scope"]: row["offers"] for row in await database.desk.fetch(sql("offer/differences"))}


async def silence(database: Database, scopes: Sequence[str]) -> dict[str, Silence]:
    """How long it is quiet, and how long it usually is, by channel."""
    rows = await database.desk.fetch(sql("marketplace_order/silence"), scopes)
    return {row["scope"]: Silence(row["newest"], row["usual_gap"]) for row in rows}


async def size(database: Database) -> Size:
    """The database itself."""
    connections = await database.desk.fetch(sql("database/connections"))
    tables = await database.desk.fetch(sql("database/tables"))
    return Size(
        await database.desk.fetchval(sql("database/size")),
        {row["state"]: row["connections"] for row in connections},
        {row["name"]: (row["live"], row["dead"]) for row in tables},
    )
