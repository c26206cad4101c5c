"""Lanes: all order-scoped flows of one order take turns. Safety is the lane row; everything else is a preference."""

from __future__ import annotations

from app.store.outbox import LEASE_SECONDS, Claim, Head
from app.store.pool import Database, Transaction
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

    async def steps(transaction: Transaction) -> list[Claim]:
        connection = transaction.connection
        candidates = await connection.fetch(sql("lane/candidates"), scope, flow, band, head.by_band[band], limit, rank)
        first: dict[str, str] = {}
        for row in candidates:
            first.setdefault(row["lane"], row["key"])
        if not first:
            return []
        taken = await connection.fetch(sql("lane/take"), scope, sorted(first), flow, lease_seconds)
        busy = sorted(set(first) - {row["lane"] for row in taken})
        if busy:
            await connection.execute(sql("lane/refuse"), scope, flow, sorted(first[lane] for lane in busy), scale)
        if not taken:
            return []
        rows = await connection.fetch(
            sql("lane/claim"),
            scope,
            flow,
            sorted(first[r["lane"]] for r in taken),
            taken[0]["claim"],
            lease_seconds,
        )
        return [
            Claim(r["key"], r["version"], r["claim"], r["attempts"], r["due_at"], r["dirty_since"], r["lane"])
            for r in rows
        ]

    claims = await database.transact(steps)
    if claims:
        head.passed(band, max(c.due_at for c in claims))
    return claims
