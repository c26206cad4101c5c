"""Marks: keys that have something to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar, cast

from app.store.statements import sql
from app.telemetry.tracing import traceparent

if TYPE_CHECKING:
    from app.store.pool import Connection

T = TypeVar("T")
NORMAL = 1


@dataclass(frozen=True, slots=True)
class Mark:
    """One key of a flow. `due_at` None is now; `since` is when the change happened, None is now."""

    scope: str
    flow: str
    key: str
    priority: int = NORMAL  # 0 urgent, 1 normal, 2 background
    due_at: datetime | None = None
    since: datetime | None = None
    lane: str | None = None
    lane_rank: int = 0


_place = attrgetter("scope", "flow", "key")


def one_each(marks: Iterable[Mark]) -> list[Mark]:
    """One mark a key, the most urgent wins, in primary key order: one lock order for everybody."""
    given = list(marks)
    if len(given) < 2:
        return given
    kept: dict[tuple[str, str, str], Mark] = {}
    for mark in given:
        kept[_place(mark)] = mark
    if len(kept) < len(given):
        kept = {}
        for mark in given:
            other = kept.get(_place(mark))
            kept[_place(mark)] = mark if other is None else _sooner(other, mark)
    return sorted(kept.values(), key=_place)


def _sooner(a: Mark, b: Mark) -> Mark:
    due = None if a.due_at is None or b.due_at is None else min(a.due_at, b.due_at)
    since = min((s for s in (a.since, b.since) if s is not None), default=None)
    lane, rank = (a.lane, a.lane_rank) if a.lane is not None else (b.lane, b.lane_rank)
    return Mark(a.scope, a.flow, a.key, min(a.priority, b.priority), due, since, lane, rank)


async def write_marks(connection: Connection, marks: Iterable[Mark]) -> list[Mark]:
    """Write the marks in one statement and give back what was written."""
    rows = one_each(marks)
    await write_sorted(connection, rows)
    return rows


async def write_sorted(connection: Connection, rows: Sequence[Mark]) -> None:
    """Write marks as `one_each` gives them, with the trace context of the span they are written in.

    What all of them share goes once, not as an array: the time of a large mark is mostly spent on arrays.
    """
    if not rows:
        return
    first = rows[0]
    if len(rows) == 1:
        m = first
        await connection.execute(
            sql("outbox/mark_one"),
            m.scope,
            m.flow,
            m.key,
            m.lane,
            m.lane_rank,
            m.priority,
            m.since,
            m.due_at,
            traceparent(),
        )
        return
    await connection.execute(
        sql("outbox/mark"),
        [m.key for m in rows],
        _unless_shared([m.scope for m in rows]),
        _unless_shared([m.flow for m in rows]),
        _unless_shared([m.lane_rank for m in rows]),
        _unless_shared([m.priority for m in rows]),
        _unless_none([m.lane for m in rows]),
        _unless_none([m.since for m in rows]),
        _unless_none([m.due_at for m in rows]),
        first.scope,
        first.flow,
        first.lane_rank,
        first.priority,
        traceparent(),
    )


def _unless_shared(values: list[T]) -> list[T]:
    return values if values.count(values[0]) < len(values) else []


def _unless_none(values: list[T]) -> list[T]:
    return values if values.count(cast(T, None)) < len(values) else []
