"""The outbox of keys: claim, settle, wait, hold, postpone (the design's engine rules, to the statement).

A claim hands out a number; every later write about the key carries it, and matches no row when it is no longer the
current one. Those keys come back as *lost*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.clock import monotonic
from app.store.pool import Connection, Database, Row, Transaction
from app.store.statements import sql

BANDS = (0, 1, 2)
LEASE_SECONDS = 30.0
MARGIN_SECONDS = 5.0
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
    """Not before a time. `called`: an outside call was made, so the attempt counts."""

    until: datetime
    reason: str
    called: bool = True


Verdict = Settled | Waiting | Held | Postponed


@dataclass(slots=True)
class Head:
    """Where the next scan of each band starts: the least due time still of interest."""

    by_band: dict[int, datetime] = field(default_factory=lambda: dict.fromkeys(BANDS, BEGINNING))

    def passed(self, band: int, due_at: datetime) -> None:
        """Keys up to this due time were claimed."""
        self.by_band[band] = max(self.by_band[band], due_at)

    def found(self, band: int, due_at: datetime) -> None:
        """Something claimable was seen at this due time: a late commit, or an expired lease."""
        self.by_band[band] = min(self.by_band[band], due_at)


def usable_until(lease_seconds: float = LEASE_SECONDS) -> float:
    """The monotonic time until which a claim asked for now may be used; take it *before* the claim call."""
    return monotonic() + lease_seconds - MARGIN_SECONDS


async def look(
    connection: Connection, places: Sequence[tuple[str, str, int, datetime]]
) -> dict[tuple[str, str, int], datetime]:
    """Where something is claimable now, of (scope, flow, band, head): its due time."""
    rows = await connection.fetch(
        sql("outbox/look"),
        [p[0] for p in places],
        [p[1] for p in places],
        [p[2] for p in places],
        [p[3] for p in places],
    )
    return {(r["scope"], r["flow"], r["priority"]): r["due_at"] for r in rows}


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
    claims = [_claim(row) for row in rows]
    if claims:
        head.passed(band, max(c.due_at for c in claims))
    return claims


def suspect_slice(lost: int, limit: int) -> int:
    """How many keys lost this often are claimed together: sixteen times fewer with each loss, at last one."""
    return max(1, limit >> (4 * (lost - SUSPECT_FROM + 1)))


async def claim_suspects(
    database: Database, scope: str, flow: str, band: int, limit: int, lease_seconds: float = LEASE_SECONDS
) -> list[Claim]:
    """Claim keys whose claims were lost three times or more, in small slices; hold the ones that kill alone."""
    async with database.work.acquire() as connection:
        lost = await connection.fetchval(sql("outbox/suspects"), scope, flow, band)
        if lost is None:
            return []
        was_alone = lost > SUSPECT_FROM and suspect_slice(lost - 1, limit) == 1
        rows = await connection.fetch(
            sql("outbox/claim_suspects"),
            scope,
            flow,
            band,
            lost,
            suspect_slice(lost, limit),
            lease_seconds,
            was_alone,
        )
    killers = [_claim(row) for row in rows if row["lost_alone"] >= ALONE_LOSSES]
    if killers:
        await settle(database, scope, flow, {c: Held(KILLER, firm=True) for c in killers})
    return [_claim(row) for row in rows if row["lost_alone"] < ALONE_LOSSES]


def _claim(row: Row) -> Claim:
    return Claim(
        row["key"],
        row["version"],
        row["claim"],
        row["attempts"],
        row["due_at"],
        row["dirty_since"],
        row["lane"],
    )


async def settle(
    database: Database, scope: str, flow: str, verdicts: Mapping[Claim, Verdict]
) -> tuple[list[Claim], bool]:
    """Write how the work on these claims ended, and let their lanes go.

    Gives the claims that were lost, and whether any key is due again already.
    """

    async def steps(transaction: Transaction) -> tuple[set[str], bool]:
        return await settle_in(transaction.connection, scope, flow, verdicts)

    if not verdicts:
        return [], False
    kept, again = await database.transact(steps)
    return [c for c in verdicts if c.key not in kept], again


async def settle_in(
    connection: Connection, scope: str, flow: str, verdicts: Mapping[Claim, Verdict]
) -> tuple[set[str], bool]:
    """As `settle`, inside an open transaction: the keys that were still ours, and whether any is due again."""
    kept: set[str] = set()
    again = False
    for kind in (Settled, Waiting, Held, Postponed):
        chosen = sorted(((c, v) for c, v in verdicts.items() if isinstance(v, kind)), key=lambda pair: pair[0].key)
        if not chosen:
            continue
        rows = await _write(connection, scope, flow, chosen)
        kept |= {row["key"] for row in rows}
        again = again or (kind is Settled and any(row["due_at"] is not None for row in rows))
    lanes = [(c.lane, c.claim) for c in verdicts if c.lane is not None]
    if lanes:
        await connection.fetch(
            sql("lane/let_go"),
            scope,
            sorted({lane for lane, _ in lanes}),
            sorted({number for _, number in lanes}),
        )
    return kept, again


async def _write(connection: Connection, scope: str, flow: str, chosen: Sequence[tuple[Claim, Verdict]]) -> list[Row]:
    keys, numbers = [c.key for c, _ in chosen], [c.claim for c, _ in chosen]
    verdicts = [v for _, v in chosen]
    match verdicts[0]:
        case Settled():
            next_at = [v.next_at for v in verdicts if isinstance(v, Settled)]
            return await connection.fetch(sql("outbox/settle"), scope, flow, keys, numbers, next_at)
        case Waiting():
            waits = [v for v in verdicts if isinstance(v, Waiting)]
            return await connection.fetch(
                sql("outbox/wait"),
                scope,
                flow,
                keys,
                numbers,
                [v.until for v in waits],
                [v.reason for v in waits],
            )
        case Held():
            holds = [v for v in verdicts if isinstance(v, Held)]
            return await connection.fetch(
                sql("outbox/hold"),
                scope,
                flow,
                keys,
                numbers,
                [v.reason for v in holds],
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
                [v.reason for v in late],
                [v.called for v in late],
            )


async def extend(
    database: Database, scope: str, flow: str, claims: Iterable[Claim], lease_seconds: float = LEASE_SECONDS
) -> set[str]:
    """Prolong claims; the keys that are still ours."""
    ours = sorted(claims, key=lambda c: c.key)
    async with database.work.acquire() as connection:
        rows = await connection.fetch(
            sql("outbox/extend"), scope, flow, [c.key for c in ours], [c.claim for c in ours], lease_seconds
        )
        for number in {c.claim for c in ours if c.lane}:
            lanes = sorted({c.lane for c in ours if c.lane and c.claim == number})
            await connection.fetch(sql("lane/extend"), scope, lanes, number, lease_seconds)
    return {row["key"] for row in rows}


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
