"""How much there is to do, and since when: for metrics, status and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Database
from app.store.statements import sql


@dataclass(frozen=True, slots=True)
class FlowCensus:
    """One flow in one scope. `oldest_since`: of the oldest due key, or of the oldest line sent and not confirmed."""

    scope: str
    flow: str
    due: int
    waiting: int
    held: int
    oldest_since: datetime | None
    oldest_held_at: datetime | None


async def census(database: Database) -> list[FlowCensus]:
    """All flows that have rows, by scope and flow."""
    rows = await database.desk.fetch(sql("outbox/census"))
    unconfirmed = {(r["scope"], r["kind"]): r["since"] for r in await database.desk.fetch(sql("import/oldest_open"))}
    found = {
        (r["scope"], r["flow"]): FlowCensus(
            r["scope"],
            r["flow"],
            r["due"],
            r["waiting"],
            r["held"],
            _older(r["oldest_due_since"], unconfirmed.pop((r["scope"], r["flow"]), None)),
            r["oldest_held_at"],
        )
        for r in rows
    }
    for (scope, kind), since in unconfirmed.items():
        found[scope, kind] = FlowCensus(scope, kind, 0, 0, 0, since, None)
    return [found[place] for place in sorted(found)]


def _older(a: datetime | None, b: datetime | None) -> datetime | None:
    return min((x for x in (a, b) if x is not None), default=None)


async def dead_letters(database: Database) -> dict[str, int]:
    """How many facts could not be read, by scope."""
    return {r["scope"]: r["dead"] for r in await database.desk.fetch(sql("inbox/count_dead"))}


@dataclass(frozen=True, slots=True)
class LastImport:
    scope: str
    kind: str
    state: str
    lines: int
    bad_lines: int | None
    sent_at: datetime
    finished_at: datetime | None


async def last_imports(database: Database) -> dict[tuple[str, str], LastImport]:
    """The last import of each channel and kind."""
    rows = await database.desk.fetch(sql("import/last"))
    return {
        (r["scope"], r["kind"]): LastImport(
            r["scope"], r["kind"], r["state"], r["lines"], r["bad_lines"], r["sent_at"], r["finished_at"]
        )
        for r in rows
    }


@dataclass(frozen=True, slots=True)
class HeldKey:
    scope: str
    flow: str
    key: str
    firm: bool
    held_at: datetime
    reason: str


async def held_keys(database: Database, scope: str | None, limit: int = 200) -> list[HeldKey]:
    """Held keys, oldest first."""
    rows = await database.desk.fetch(sql("outbox/held"), scope, limit)
    return [HeldKey(r["scope"], r["flow"], r["key"], r["firm"], r["held_at"], r["reason"] or "") for r in rows]
