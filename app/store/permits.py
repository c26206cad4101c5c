"""Call permits as rows that all replicas share: granted now or not at all (the design's engine rules)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.clock import Clock, monotonic
from app.store.pool import Database
from app.store.statements import sql
from app.telemetry import metrics
from app.wire.permit import Charge, Permit, PermitWait

CLOSED_WAIT_SECONDS = 1.0
"""How long to wait for a bucket that nobody has opened yet."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of an allowance."""

    scope: str
    name: str
    capacity: float
    tokens: float
    refill_per_second: float
    grants: int
    closed_until: datetime


class SharedPermits:
    """`app.wire.permit.Permits` over the table `permit`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, scope: str, buckets: Mapping[str, tuple[float, float]]) -> None:
        """Make sure the buckets exist: name -> (capacity, refill a second of app time)."""
        await self._database.work.executemany(
            sql("permit/open"), [(scope, name, c, r) for name, (c, r) in sorted(buckets.items())]
        )

    async def take(self, scope: str, charges: Sequence[Charge], *, headroom: float = 1.0) -> Permit | PermitWait:
        """Consume every charge now, or nothing."""
        asked = sorted(charges, key=lambda charge: charge.name)
        taken_at = monotonic()
        row = await self._database.work.fetchrow(
            sql("permit/take"), scope, [c.name for c in asked], [c.cost for c in asked], headroom
        )
        if row is not None and row["granted"]:
            return Permit(scope, dict(zip(row["names"], row["grants"], strict=True)), taken_at)
        wait = row["wait_seconds"] if row is not None and row["wait_seconds"] is not None else None
        if wait is None:
            wait = CLOSED_WAIT_SECONDS
        metrics.permit_waits.labels(scope, asked[0].name).inc()
        return PermitWait(max(wait, 0.001))

    async def give_back(self, permit: Permit) -> None:
        """Hand back a permit that no call used."""
        await self._database.work.execute(
            sql("permit/give_back"), permit.scope, list(permit.grants), list(permit.grants.values())
        )

    async def close_until(self, scope: str, name: str, seconds: float) -> None:
        """After a 429: nothing is granted on this bucket for `seconds` of app time."""
        until = self._clock.now() + timedelta(seconds=seconds)
        await self._database.work.execute(sql("permit/close"), scope, name, until)

    async def correct(self, scope: str, name: str, used: float) -> None:
        """Charge what a call cost beyond its charge."""
        await self._database.work.execute(sql("permit/correct"), scope, name, used)

    async def lower(self, scope: str, name: str, left: float) -> None:
        """The platform says that at most `left` tokens remain for us."""
        await self._database.work.execute(sql("permit/lower"), scope, name, left)

    async def all(self) -> list[Bucket]:
        """Every bucket, for metrics and people."""
        rows = await self._database.desk.fetch(sql("permit/all"))
        return [
            Bucket(
                r["scope"],
                r["name"],
                r["capacity"],
                r["tokens"],
                r["refill_per_second"],
                r["grants"],
                r["closed_until"],
            )
            for r in rows
        ]
