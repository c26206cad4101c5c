"""Reading the audit: what somebody did last about something, and all of it for export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.pool import Connection, Database, Row
from app.store.statements import sql

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did, and why."""

    at: datetime
    actor: str
    to_state: str
    detail: str | None


async def last_act(
    connection: Connection, scope: str, subject: str, part: str, to_state: str | None, service: Sequence[str]
) -> Deed | None:
    """The last thing that somebody but the `service` (its actors) did about one part of a subject.

    A row is about the part when it leads from `part`, or to `to_state`.
    """
    row = await connection.fetchrow(sql("audit/last_act"), scope, subject, part, to_state, list(service))
    return None if row is None else Deed(row["at"], row["actor"], row["to_state"], row["detail"])


async def export(
    database: Database,
    *,
    scope: str | None = None,
    subjects: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    flows: Sequence[str] | None = None,
) -> AsyncIterator[Row]:
    """Rows of the audit, oldest first, through a cursor: however many there are, few are in memory.

    `flows`: what these did, and what people did about their subjects. `until` itself is not included.
    """
    async with database.desk.acquire() as connection, connection.transaction(readonly=True):
        chosen = [None if names is None else list(names) for names in (subjects, flows)]
        statement = sql("audit/export")
        async for row in connection.cursor(statement, scope, chosen[0], since, until, chosen[1], prefetch=AT_ONCE):
            yield row
