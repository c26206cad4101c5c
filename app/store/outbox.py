"""The outbox of keys: claim, settle, wait, hold, postpone (the design's engine rules, to the statement).

A claim hands out a number; every later write about the key carries it, and matches no row when it is no longer the
current one. Those keys come back as *lost*.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.clock import monotonic
from app.store.pool import Connection, Database, Row, Transaction
from app.store.statements import sql, storable

BANDS = (0, 1, 2)
LEASE_SECONDS = float(os.environ.get("CENTRA_MIRAKL_LEASE_SECONDS", "30"))
"""Real seconds that a claim lasts; only fault tests have reason to shorten it, for a whole deployment alike."""
MARGIN_SECONDS = LEASE_SECONDS / 6
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before every due time."""
SUSPECT_FROM = 3
ALONE_LOSSES = 3
KILLER = "lost three times while it was worked alone: it seems to kill its worker"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is ours until the lease ends."""

    key: str
    version: int
    claim: int
    attempts: int
    due_at: datetime
    dirty_since: datetime
    lane: str | None = None
    place: tuple[int, int] | None = None
    """Where the claimed row lies, as long as nobody marks it."""
    trace: str | None = None
    """The W3C trace context in which it was first marked since the last claim; None while tracing is off."""

    def __hash__(self) -> int:
        """By key alone, which is quick: claims are looked up a lot, and few share a key."""
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Settled:
    """The work is done; `next_at` is the next time of a periodic key."""

    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Come back at a time, unless something happens first."""

    until: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """For a person; unless firm, a mark ends it too."""

    reason: str
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Postponed:
    """Not before a time. `called`: an outside call was made, so the attempt counts. `done`: the work is done as far
    as it was asked for, and only the next visit is kept at a distance.
    """

    until: datetime
    reason: str
    called: bool = True
    done: bool = False


Verdict = Settled | Waiting | Held | Postponed


@dataclass(frozen=True, slots=True)
class Found:
    """The oldest claimable key that a look met."""

    due_at: datetime
    suspect: bool
    """Its claims were lost so often that it may kill its worker."""


@dataclass(slots=True)
class Head:
    """Where the next scan of each band starts: the least due time still of interest."""

    by_band: dict[int, datetime] = field(default_factory=lambda: dict.fromkeys(BANDS, BEGINNING))
    suspects: dict[int, datetime] = field(default_factory=dict)
    """Bands in which a key was met that was lost too often, and its due time."""

    def passed(self, band: int, due_at: datetime) -> None:
        """Keys up to this due time were claimed."""
        self.by_band[band] = max(self.by_band[band], due_at)

    def found(self, band: int, found: Found) -> None:
        """Something claimable was seen: a late commit, or an expired lease."""
        self.by_band[band] = min(self.by_band[band], found.due_at)
        if found.suspect:
            self.suspects[band] = min(self.suspects.get(band, found.due_at), found.due_at)

    def started(self, band: int, due_at: datetime) -> None:
        """Everything was looked at, and nothing before this due time is of interest."""
        if self.by_band[band] == BEGINNING:
            self.by_band[band] = due_at


def usable_until(lease_seconds: float = LEASE_SECONDS) -> float:
    """The monotonic time until which a claim asked for now may be used; take it *before* the claim call."""
    return monotonic() + lease_seconds - MARGIN_SECONDS


async def look(
    connection: Connection, places: Sequence[tuple[str, str, int, datetime]]
) -> tuple[dict[tuple[str, str, int], Found], datetime]:
    """What is claimable now of (scope, flow, band, head), oldest first; and the app time it is."""
    rows = await connection.fetch(
        sql("outbox/look"),
        [p[0] for p in places],
        [p[1] for p in places],
        [p[2] for p in places],
        [p[3] for p in places],
    )
    found = {
        (r["scope"], r["flow"], r["priority"]): Found(r["due_at"], r["suspect"])
        for r in rows
        if r["due_at"] is not None
    }
    return found, rows[0]["looked_at"] if rows else BEGINNING


async def claim(
    connection: Connection,
    scope: str,
    flow: str,
    band: int,
    head: Head,
    limit: int,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Claim]:
    """Claim up to `limit` keys of a band from its head on, and move the head."""
    rows = await connection.fetch(sql("outbox/claim"), scope, flow, band, head.by_band[band], limit, lease_seconds)
    claims = [to_claim(row) for row in rows]
    if claims:
        head.passed(band, max(c.due_at for c in claims))
    return claims


def suspect_slice(lost: int, limit: int) -> int:
    """How many keys lost this often are claimed together: sixteen times fewer with each loss, at last one."""
    return max(1, limit >> (4 * (lost - SUSPECT_FROM + 1)))


async def claim_suspects(
    database: Database,
    scope: str,
    flow: str,
    band: int,
    since: datetime,
    limit: int,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Claim]:
    """Claim keys, due from `since` on, whose claims were lost three times or more, in small slices; hold the ones that
    kill alone. They are a pass of their own, and nothing else should be worked meanwhile.

    `limit`: the flow's usual number of keys, the same at each call, since the slices follow from it.
    """
    async with database.work.acquire() as connection:
        lost = await connection.fetchval(sql("outbox/suspects"), scope, flow, band, since)
        if lost is None:
            return []
        was_alone = lost > SUSPECT_FROM and suspect_slice(lost - 1, limit) == 1
        rows = await connection.fetch(
            sql("outbox/claim_suspects"),
            scope,
            flow,
            band,
            since,
            lost,
            suspect_slice(lost, limit),
            lease_seconds,
            was_alone,
        )
    return await without_killers(database, scope, flow, rows)


async def without_killers(database: Database, scope: str, flow: str, rows: Sequence[Row]) -> list[Claim]:
    """The claims of suspects, less those lost three times alone: these are held until a person lets them go."""
    killers = [to_claim(row) for row in rows if row["lost_alone"] >= ALONE_LOSSES]
    if killers:
        await settle(database, scope, flow, {c: Held(KILLER, firm=True) for c in killers})
    return [to_claim(row) for row in rows if row["lost_alone"] < ALONE_LOSSES]


def to_claim(row: Row) -> Claim:
    """The claim in a row of a claim statement."""
    return Claim(
        row["key"],
        row["version"],
        row["claim"],
        row["attempts"],
        row["due_at"],
        row["dirty_since"],
        row["lane"],
        row.get("place"),
        row["trace"],
    )


async def settle(
    database: Database, scope: str, flow: str, verdicts: Mapping[Claim, Verdict]
) -> tuple[list[Claim], bool]:
    """Write how the work on these claims ended, and let their lanes go.

    Gives the claims that were lost, and whether any key is due again already.
    """

    async def steps(transaction: Transaction) -> tuple[list[Claim], bool]:
        return await settle_in(transaction.connection, scope, flow, verdicts)

    if not verdicts:
        return [], False
    if len(set(map(type, verdicts.values()))) > 1 or any(c.lane for c in verdicts):
        return await database.transact(steps)
    moved, again = await database.alone(lambda connection: _settle_placed(connection, verdicts))
    if not moved:
        return [], again
    lost, more = await database.alone(lambda connection: settle_in(connection, scope, flow, moved))
    return lost, again or more


async def _settle_placed(
    connection: Connection, verdicts: Mapping[Claim, Verdict]
) -> tuple[Mapping[Claim, Verdict], bool]:
    """Settle keys that lie where their claim put them; the others, and whether any is due again."""
    places = [c.place for c in verdicts if c.place is not None]
    if len(places) < len(verdicts) or not isinstance(next(iter(verdicts.values())), Settled):
        return verdicts, False
    ours = sorted(verdicts, key=_key)
    row = await connection.fetchrow(
        sql("outbox/settle_placed"),
        [c.key for c in ours],
        [c.claim for c in ours],
        _next_times([verdicts[c] for c in ours]),
        [c.place for c in ours],
    )
    assert row is not None
    if row["keys"] is None:
        return {}, row["again"]
    kept = set(row["keys"])
    return {c: v for c, v in verdicts.items() if c.key not in kept}, row["again"]


def _next_times(verdicts: Sequence[Verdict]) -> list[datetime | None]:
    """The next times of periodic keys; empty when there is none, since an array costs its time for each key."""
    times = [v.next_at for v in verdicts if isinstance(v, Settled)]
    return [] if times.count(None) == len(times) else times


async def settle_in(
    connection: Connection, scope: str, flow: str, verdicts: Mapping[Claim, Verdict]
) -> tuple[list[Claim], bool]:
    """As `settle`, inside an open transaction."""
    lost: list[Claim] = []
    again = False
    kinds = _by_kind(verdicts)
    if len(kinds) > 1:  # one lock order for everybody
        ours = sorted(verdicts, key=_key)
        await connection.execute(sql("outbox/lock"), scope, flow, [c.key for c in ours], [c.claim for c in ours])
    for kind, claims in kinds.items():
        rows = await _write(connection, scope, flow, claims, [verdicts[c] for c in claims])
        if kind is Settled:
            again, keys = rows[0]["again"], rows[0]["keys"]
        else:
            keys = [row["key"] for row in rows]
        if keys is not None and len(keys) < len(claims):
            kept = set(keys)
            lost += [c for c in claims if c.key not in kept]
    lanes = sorted({(c.lane, c.claim) for c in verdicts if c.lane is not None})
    if lanes:
        names = [lane for lane, _ in lanes]
        await connection.execute(sql("lane/let_go"), scope, names, [number for _, number in lanes])
        await connection.execute(sql("lane/wake"), scope, names)
    return lost, again


def _key(claim: Claim) -> str:
    return claim.key


def _by_kind(verdicts: Mapping[Claim, Verdict]) -> dict[type[Verdict], list[Claim]]:
    """The claims by the kind of their verdict, each in the order of the keys."""
    kinds: dict[type[Verdict], list[Claim]] = {}
    for claim, verdict in verdicts.items():
        kinds.setdefault(type(verdict), []).append(claim)
    for claims in kinds.values():
        claims.sort(key=_key)
    return kinds


async def _write(
    connection: Connection, scope: str, flow: str, claims: Sequence[Claim], verdicts: Sequence[Verdict]
) -> list[Row]:
    """Write verdicts, all of one kind, on claims in the order of their keys."""
    keys, numbers = [c.key for c in claims], [c.claim for c in claims]
    match verdicts[0]:
        case Settled():
            return await connection.fetch(sql("outbox/settle"), scope, flow, keys, numbers, _next_times(verdicts))
        case Waiting():
            waits = [v for v in verdicts if isinstance(v, Waiting)]
            return await connection.fetch(
                sql("outbox/wait"),
                scope,
                flow,
                keys,
                numbers,
                [v.until for v in waits],
                [storable(v.reason) for v in waits],
            )
        case Held():
            holds = [v for v in verdicts if isinstance(v, Held)]
            return await connection.fetch(
                sql("outbox/hold"),
                scope,
                flow,
                keys,
                numbers,
                [storable(v.reason) for v in holds],
                [v.firm for v in holds],
            )
        case Postponed():
            late = [v for v in verdicts if isinstance(v, Postponed)]
            return await connection.fetch(
                sql("outbox/postpone"),
                scope,
                flow,
                keys,
                numbers,
                [v.until for v in late],
                [storable(v.reason) for v in late],
                [v.called for v in late],
                [v.done for v in late],
            )


async def extend(
    database: Database, scope: str, flow: str, claims: Iterable[Claim], lease_seconds: float = LEASE_SECONDS
) -> set[str]:
    """Prolong claims and their lanes; the keys that are still ours."""
    ours = sorted(claims, key=lambda c: c.key)
    lanes = sorted({(c.lane, c.claim) for c in ours if c.lane is not None})

    async def steps(transaction: Transaction) -> set[str]:
        connection = transaction.connection
        rows = await connection.fetch(
            sql("outbox/extend"), scope, flow, [c.key for c in ours], [c.claim for c in ours], lease_seconds
        )
        if lanes:
            names, numbers = [lane for lane, _ in lanes], [number for _, number in lanes]
            await connection.fetch(sql("lane/extend"), scope, names, numbers, lease_seconds)
        return {row["key"] for row in rows}

    return await database.transact(steps)


async def seed(database: Database, scope: str, flow: str, keys: Mapping[str, float], priority: int = 1) -> None:
    """Make sure that periodic keys exist: key -> app seconds until its first time."""
    if keys:
        await database.work.execute(
            sql("outbox/seed"),
            scope,
            flow,
            priority,
            list(keys),
            [timedelta(seconds=s) for s in keys.values()],
        )


async def release(database: Database, scope: str, flow: str, keys: Sequence[str] | None) -> list[str]:
    """A person lets held keys go (None: all of the flow); the keys released."""
    rows = await database.desk.fetch(sql("outbox/release"), scope, flow, None if keys is None else list(keys))
    return [row["key"] for row in rows]
