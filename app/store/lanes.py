"""Lanes: all order-scoped flows of one order take turns. Safety is the lane row; everything else is a preference."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.store.outbox import LEASE_SECONDS, SUSPECT_FROM, Claim, Head, to_claim, without_killers
from app.store.pool import Connection, Database, Row, Transaction
from app.store.statements import sql


async def claim_lanes(
    database: Database,
    scope: str,
    flow: str,
    band: int,
    head: Head,
    limit: int,
    *,
    rank: int,
    scale: float = 1.0,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Claim]:
    """Claim keys of a lane flow whose lanes are free, one key a lane; the others come back when theirs is.

    `scale`: app seconds in a real second, for the time at which a busy lane's lease ends.
    """

    async def steps(transaction: Transaction) -> list[Row]:
        connection = transaction.connection
        candidates = await connection.fetch(sql("lane/candidates"), scope, flow, band, head.by_band[band], limit, rank)
        first: dict[str, Row] = {}
        for row in candidates:
            first.setdefault(row["lane"], row)
        return await _take(connection, scope, flow, first, scale, lease_seconds, was_alone=False)

    claims = [to_claim(row) for row in await database.transact(steps)]
    if claims:
        head.passed(band, max(c.due_at for c in claims))
    return claims


async def claim_lane_suspect(
    database: Database,
    scope: str,
    flow: str,
    band: int,
    since: datetime,
    *,
    scale: float = 1.0,
    lease_seconds: float = LEASE_SECONDS,
) -> list[Claim]:
    """Claim one key, due from `since` on, whose claims were lost three times or more; hold it when it kills alone."""

    async def steps(transaction: Transaction) -> list[Row]:
        connection = transaction.connection
        row = await connection.fetchrow(sql("lane/suspects"), scope, flow, band, since, 1)
        if row is None:
            return []
        alone = row["lost"] > SUSPECT_FROM
        return await _take(connection, scope, flow, {row["lane"]: row}, scale, lease_seconds, was_alone=alone)

    return await without_killers(database, scope, flow, await database.transact(steps))


async def _take(
    connection: Connection,
    scope: str,
    flow: str,
    first: Mapping[str, Row],
    scale: float,
    lease_seconds: float,
    *,
    was_alone: bool,
) -> list[Row]:
    """Take the lanes of locked keys (by lane) and claim those whose lane came back; the rest is refused."""
    if not first:
        return []
    taken = await connection.fetch(sql("lane/take"), scope, sorted(first), flow, lease_seconds)
    if len(taken) < len(first):
        busy = sorted(set(first) - {row["lane"] for row in taken}, key=lambda lane: str(first[lane]["key"]))
        keys = [first[lane]["key"] for lane in busy]
        await connection.execute(sql("lane/refuse"), scope, flow, keys, scale, busy)
    if not taken:
        return []
    places = [first[row["lane"]]["place"] for row in taken]
    return await connection.fetch(sql("lane/claim"), places, taken[0]["claim"], lease_seconds, was_alone)
