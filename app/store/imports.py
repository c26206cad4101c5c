"""Imports: bulk writes that outlive a lease. A value counts as confirmed only by the import's own report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from app.domain.ids import EffectId, ImportId
from app.store.effects import EffectClass, write_sent
from app.store.marks import Mark
from app.store.pool import Connection, Database, Transaction
from app.store.statements import sql, storable

FLOW = "imports"
"""The flow that polls every import to its end; its key is our number of the import."""


class SlotTakenError(Exception):
    """Another import of this kind is in flight on the channel."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an import carries for one key: a quantity, or the digest of something larger."""

    key: str
    version: int
    value: int
    dirty_since: datetime
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    import_id: ImportId
    scope: str
    kind: str
    effect_id: EffectId
    state: str
    remote_id: str | None
    lines: int
    sent_at: datetime
    posted_at: datetime | None
    finished_at: datetime | None
    report_reads: int


async def slot_taken(database: Database, scope: str, kind: str) -> bool:
    """Whether an import of this kind is in flight on the channel."""
    return await database.work.fetchval(sql("import/in_flight"), scope, kind) is not None


async def open_import(
    transaction: Transaction,
    scope: str,
    flow: str,
    kind: str,
    code: str,
    lines: Sequence[Line],
    orphaned_at: datetime,
) -> tuple[ImportId, EffectId]:
    """Write an import, its lines and its effect down as sent, and mark its own key for when nobody may answer for it.

    `orphaned_at`: when our lease ends. Raises SlotTakenError when another import is in flight.
    """
    connection = transaction.connection
    effect = await write_sent(connection, scope, flow, code, EffectClass.SAFE)
    try:
        number = await connection.fetchval(
            sql("import/open"), scope, kind, effect, len(lines), min(line.dirty_since for line in lines)
        )
    except asyncpg.UniqueViolationError as exc:
        raise SlotTakenError(f"an import of {kind} is in flight on {scope}") from exc
    await connection.execute(
        sql("import/add_lines"),
        number,
        [line.key for line in lines],
        [line.version for line in lines],
        [line.value for line in lines],
        [line.dirty_since for line in lines],
        [line.digest for line in lines],
    )
    transaction.mark([Mark(scope, FLOW, str(number), due_at=orphaned_at)])
    return ImportId(number), effect


async def posted(connection: Connection, scope: str, kind: str, import_id: ImportId, remote_id: str) -> str:
    """Store the id that the far side gave: the import is now `running`, or `late` when it was given up meanwhile.

    `repeated` when the id belongs to an earlier import of ours: this one was not applied.
    """
    if await connection.fetchval(sql("import/remote"), scope, kind, remote_id) is not None:
        await finish(connection, import_id, "repeated", note=f"the far side gave the earlier id {remote_id}")
        return "repeated"
    state = await connection.fetchval(sql("import/posted"), import_id, remote_id)
    return str(state) if state is not None else "late"


async def count_repeated(connection: Connection, scope: str, kind: str) -> int:
    """How often within a day the far side took an import of this kind for an earlier one."""
    return int(await connection.fetchval(sql("import/count_repeated"), scope, kind))


async def finish(
    connection: Connection,
    import_id: ImportId,
    state: str,
    *,
    bad_lines: int | None = None,
    note: str | None = None,
) -> bool:
    """Write how an import ended; False when that was written before."""
    return await connection.fetchval(sql("import/finish"), import_id, state, bad_lines, storable(note)) is not None


async def read_import(connection: Connection, import_id: ImportId) -> Import | None:
    """One import, None when retention dropped it."""
    row = await connection.fetchrow(sql("import/one"), import_id)
    if row is None:
        return None
    return Import(
        ImportId(row["id"]),
        row["scope"],
        row["kind"],
        EffectId(row["effect_id"]),
        row["state"],
        row["remote_id"],
        row["lines"],
        row["sent_at"],
        row["posted_at"],
        row["finished_at"],
        row["report_reads"],
    )


async def read_lines(connection: Connection, import_id: ImportId) -> list[Line]:
    """The lines of an import, by key."""
    rows = await connection.fetch(sql("import/keys"), import_id)
    return [Line(r["key"], r["version"], r["value"], r["dirty_since"], r["digest"]) for r in rows]


async def done_since(connection: Connection, scope: str, kind: str, after: int) -> list[tuple[ImportId, str]]:
    """Finished imports of a kind after one of them, oldest first: our number and the marketplace's."""
    rows = await connection.fetch(sql("import/done_since"), scope, kind, after)
    return [(ImportId(row["id"]), row["remote_id"]) for row in rows]


async def usual_seconds(database: Database, scope: str, kind: str) -> float | None:
    """App seconds that the slowest of the last five imports took; None before the first."""
    value = await database.work.fetchval(sql("import/usual_seconds"), scope, kind)
    return None if value is None else float(value)


async def count_report_read(connection: Connection, import_id: ImportId) -> int:
    """The report could not be read once more: how often by now."""
    return int(await connection.fetchval(sql("import/count_report_read"), import_id))


async def hold_lines(connection: Connection, scope: str, flow: str, bad: Collection[tuple[Line, str]]) -> list[str]:
    """Hold the keys of bad lines with the report's words, unless they changed since or are on their way again."""
    chosen = sorted(bad, key=lambda pair: pair[0].key)
    rows = await connection.fetch(
        sql("outbox/hold_unclaimed"),
        scope,
        flow,
        [line.key for line, _ in chosen],
        [line.version for line, _ in chosen],
        [storable(reason) for _, reason in chosen],
    )
    return [row["key"] for row in rows]
