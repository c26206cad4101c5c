"""`audit export`: who changed what, from when to when, as CSV or JSON lines; by order, period, channel or team."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO, cast

import msgspec
from rich.console import Console

from app.commands.context import configuration, database_of
from app.commands.orders import known_channel, one_order
from app.domain.teams import Team
from app.flows import all_flows
from app.policies.carriers import guarded
from app.settings import SettingsError
from app.store import audits
from app.store.pool import Connection, Database, Row
from app.store.statements import sql
from app.supervisor import Configuration

Cells = Sequence[str | None]
COLUMNS = ("at", "scope", "actor", "subject", "from", "to", "detail")


class Format(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


async def export(
    console: Console,
    file: Path | None,
    written: Format,
    *,
    order: str | None,
    channel: str | None,
    since: datetime | None,
    until: datetime | None,
    team: Team | None,
) -> None:
    """Write rows of the audit, oldest first; times are UTC, `until` itself is not included."""
    told = configuration()
    flows = None if team is None else [flow.name for flow in all_flows() if flow.team is team]
    scope = channel if channel in (None, told.channels.centra.id) else known_channel(told, channel)
    async with database_of(told) as database:
        subjects = None
        if order is not None:
            scope, subjects = await _of_order(database, told, order, channel)
        rows = audits.export(
            database, scope=scope, subjects=subjects, since=_utc(since), until=_utc(until), flows=flows
        )
        with _opened(console, file) as out:
            count = await _write(rows, _LINES[written](out))
        if file is not None:
            console.print(f"{count} rows are in {file}", markup=False)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


async def _of_order(database: Database, told: Configuration, name: str, channel: str | None) -> tuple[str, list[str]]:
    """The channel of an order, and every subject about it: itself, its keys, and the calls made for it."""
    scope, order_id, _ = await one_order(database, told, name, channel)
    async with database.desk.acquire() as connection:
        effects = await _effects(connection, scope, order_id)
    return scope, [f"order:{order_id}", *(f"{flow.name}:{order_id}" for flow in all_flows()), *effects]


async def _effects(connection: Connection, scope: str, order_id: str) -> list[str]:
    return [f"effect:{row['id']}" for row in await connection.fetch(sql("effect/of_lane"), scope, order_id)]


@contextlib.contextmanager
def _opened(console: Console, file: Path | None) -> Iterator[TextIO]:
    """Where rows go; what stands on the console itself is never wrapped."""
    if file is None:
        yield cast(TextIO, console.file)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            yield out
    except OSError as exc:
        raise SettingsError(f"{file} can't be written: {exc.strerror}") from None


async def _write(rows: AsyncIterator[Row], line: Callable[[Cells], object]) -> int:
    count = 0
    async for at, *rest in rows:
        line((at.isoformat(), *rest))
        count += 1
    return count


def _csv(out: TextIO) -> Callable[[Cells], object]:
    written = csv.writer(out)
    written.writerow(COLUMNS)
    return lambda cells: written.writerow([guarded(cell or "") for cell in cells])


def _jsonl(out: TextIO) -> Callable[[Cells], object]:
    return lambda cells: out.write(msgspec.json.encode(dict(zip(COLUMNS, cells, strict=True))).decode() + "\n")


_LINES: Mapping[Format, Callable[[TextIO], Callable[[Cells], object]]] = {Format.CSV: _csv, Format.JSONL: _jsonl}
