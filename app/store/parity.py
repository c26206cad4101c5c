"""Differences between both ends, what was done about each, and the last whole comparison of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.parity import Before, Cause, Deed, Found, Kind
from app.domain.teams import Team
from app.store.pool import Connection, Database, Row
from app.store.statements import sql, storable

PARITY = "parity"
"""The flow that compares; its key is a walk."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the work on a key of a flow stands. `since`: when what is on its way began; `confirmed_at`: the last import
    that the far side took of it.
    """

    held: str | None = None
    since: datetime | None = None
    kept_back: str | None = None
    """Why it may not be tried right now."""
    confirmed_at: datetime | None = None


NO_WAY = Way()


async def ways(
    connection: Connection, scope: str, flows: Sequence[str], keys: Sequence[str]
) -> dict[tuple[str, str], Way]:
    """By flow and key."""
    rows = await connection.fetch(sql("outbox/ways"), scope, list(flows), list(keys))
    return {(row["flow"], row["key"]): _way(row) for row in rows}


def _way(row: Row) -> Way:
    held = row["state"] == "held"
    open_since = None if held else row["dirty_since"]
    since = min((at for at in (open_since, row["sent_since"]) if at is not None), default=None)
    reason = row["reason"] or ""
    return Way(reason if held else None, since, reason if row["kept_back"] else None, row["confirmed_at"])


async def before(connection: Connection, scope: str, found: Sequence[Found]) -> dict[tuple[str, str], Before]:
    """What is known of differences of one kind, by key and member."""
    if not found:
        return {}
    rows = await connection.fetch(
        sql("parity_difference/before"),
        scope,
        found[0].kind.value,
        [one.key for one in found],
        [one.member for one in found],
    )
    now = {(one.key, one.member): one for one in found}
    known: dict[tuple[str, str], Before] = {}
    for row in rows:
        place = (row["key"], row["member"])
        same = (row["ours"], row["theirs"]) == (now[place].ours, now[place].theirs)
        deed = row["deed"]
        known[place] = Before(row["tries"], row["mended_at"], deed == Deed.HELD, deed == Deed.RESOLVED and same)
    return known


async def write(
    connection: Connection, scope: str, done: Sequence[tuple[Found, Deed]], began_at: datetime, now: datetime
) -> None:
    """Differences of one kind as a run that began then saw them, and what is done about each."""
    if not done:
        return
    kind = done[0][0].kind
    await connection.execute(
        sql("parity_difference/write"),
        scope,
        kind.value,
        kind.team.value,
        [one.key for one, _ in done],
        [one.member for one, _ in done],
        [storable(one.ours) for one, _ in done],
        [storable(one.theirs) for one, _ in done],
        [one.cause.value for one, _ in done],
        [storable(one.words) for one, _ in done],
        [deed.value for _, deed in done],
        now,
        began_at,
    )


async def close(
    connection: Connection, scope: str, kinds: Iterable[Kind], began_at: datetime, noticed: str
) -> dict[Kind, int]:
    """What a whole run that began then did not see is gone; what was mended as it was found (this member) stands until
    the next one. Gives how much of that is new, by kind.
    """
    names = [kind.value for kind in kinds]
    rows = await connection.fetch(sql("parity_difference/close"), scope, names, began_at, noticed)
    return {Kind(row["kind"]): row["noticed"] for row in rows}


@dataclass(frozen=True, slots=True)
class Run:
    """The last whole comparison of a kind. `as_of`: when the copy of the far side was made that it went by."""

    scope: str
    kind: Kind
    began_at: datetime
    ended_at: datetime
    as_of: datetime
    compared: int
    differing: int
    on_its_way: int


async def write_run(
    connection: Connection,
    scope: str,
    kind: Kind,
    began_at: datetime,
    as_of: datetime,
    counts: tuple[int, int, int],
) -> None:
    """A kind was compared to the end; `counts`: compared, differing, on its way."""
    await connection.execute(sql("parity_run/write"), scope, kind.value, began_at, as_of, *counts)


async def runs(connection: Connection) -> list[Run]:
    """The last of each channel and kind."""
    rows = await connection.fetch(sql("parity_run/all"))
    return [Run(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def counted(database: Database) -> list[tuple[str, Kind, Cause, int]]:
    """How many differences there are, by channel, kind and cause."""
    rows = await database.desk.fetch(sql("parity_difference/count"))
    return [(row["scope"], Kind(row["kind"]), Cause(row["cause"]), row["differences"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that is not gone, and what was done about it."""

    id: int
    scope: str
    kind: Kind
    key: str
    member: str
    ours: str
    theirs: str
    cause: Cause
    words: str
    team: Team
    deed: Deed
    tries: int
    first_seen_at: datetime
    last_seen_at: datetime
    held_at: datetime | None


async def open_ones(
    connection: Connection, scope: str | None, kind: Kind | None, after: int, limit: int
) -> list[Difference]:
    """The next differences that are not gone."""
    named = None if kind is None else kind.value
    rows = await connection.fetch(sql("parity_difference/open_ones"), scope, named, after, limit)
    return [_difference(row) for row in rows]


def _difference(row: Row) -> Difference:
    words = {
        "kind": Kind(row["kind"]),
        "cause": Cause(row["cause"]),
        "team": Team(row["team"]),
        "deed": Deed(row["deed"]),
    }
    return Difference(**{**row, **words})


@dataclass(frozen=True, slots=True)
class Locked:
    """A difference that stays as it is until the transaction ends."""

    scope: str
    kind: Kind
    subject: str
    """As the audit names it."""
    is_held: bool


async def lock(connection: Connection, number: int) -> Locked | None:
    """Keep a difference as it is until the transaction ends; None where there is none."""
    row = await connection.fetchrow(sql("parity_difference/lock"), number)
    if row is None:
        return None
    subject = f"parity:{row['kind']}:{row['key']}:{row['member']}"
    return Locked(row["scope"], Kind(row["kind"]), subject, row["held_at"] is not None)


async def settle(connection: Connection, number: int, deed: Deed, who: str, why: str) -> None:
    """A person lets it be (resolved), or has it mended again."""
    await connection.execute(sql("parity_difference/settle"), number, deed.value, who, storable(why))
