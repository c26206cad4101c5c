"""Mirrors: copies of what the platforms say about themselves; and cursors: how far a walk has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from app.store.pool import Connection
from app.store.statements import sql

T = TypeVar("T")
TOPOLOGY = "topology"


@dataclass(frozen=True, slots=True)
class Mirrored(Generic[T]):
    """A copy and the instant it was read."""

    value: T
    read_at: datetime


async def write_mirror(connection: Connection, scope: str, name: str, value: object) -> None:
    """Store a fresh copy (a struct, dataclass or plain value)."""
    await connection.execute(sql("mirror/write"), scope, name, msgspec.json.encode(value).decode())


async def read_mirror(connection: Connection, scope: str, name: str, kind: type[T]) -> Mirrored[T] | None:
    """The copy as `kind`, None before the first read."""
    row = await connection.fetchrow(sql("mirror/read"), scope, name)
    return None if row is None else Mirrored(msgspec.json.decode(row["body"], type=kind), row["read_at"])


async def write_cursor(connection: Connection, scope: str, name: str, value: object) -> None:
    """Move a cursor."""
    await connection.execute(sql("cursor/write"), scope, name, msgspec.json.encode(value).decode())


async def read_cursor(connection: Connection, scope: str, name: str, kind: type[T]) -> T | None:
    """Where a cursor stands, None before its first move."""
    row = await connection.fetchrow(sql("cursor/read"), scope, name)
    return None if row is None or row["body"] == "null" else msgspec.json.decode(row["body"], type=kind)


async def ages(connection: Connection) -> list[tuple[str, str, datetime]]:
    """Scope, name and instant of every copy, of the `live offers`, Centra's `products` and the last `plan`."""
    return [(row["scope"], row["name"], row["read_at"]) for row in await connection.fetch(sql("mirror/ages"))]
