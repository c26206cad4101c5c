"""Fills the database gauges: every replica exports the same figures, read every few seconds, off the hot path."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import anyio

from app.clock import Clock, monotonic
from app.domain.teams import Team
from app.store.census import census, dead_letters
from app.store.permits import SharedPermits
from app.store.pool import DATABASE_AWAY, Database
from app.telemetry import metrics

EVERY_SECONDS = 5.0
SHARE_OF_TIME = 0.05
"""Counting may take a twentieth of the time; a large backlog is counted less often."""


async def keep_gauges(
    database: Database, permits: SharedPermits, clock: Clock, teams: Mapping[str, Team], source: str
) -> None:
    """Read and export, for ever. `teams`: who owns what a flow holds."""
    while True:
        began = monotonic()
        with contextlib.suppress(*DATABASE_AWAY):
            await _read(database, permits, clock, teams, source)
        await anyio.sleep(max(EVERY_SECONDS, (monotonic() - began) / SHARE_OF_TIME))


async def _read(
    database: Database, permits: SharedPermits, clock: Clock, teams: Mapping[str, Team], source: str
) -> None:
    now = clock.now()
    for row in await census(database):
        team = teams.get(row.flow, Team.OPERATIONS)
        age = 0.0 if row.oldest_since is None else max(0.0, (now - row.oldest_since).total_seconds())
        held = 0.0 if row.oldest_held_at is None else max(0.0, (now - row.oldest_held_at).total_seconds())
        metrics.lag_seconds.labels(row.scope, row.flow).set(age)
        metrics.due_keys.labels(row.scope, row.flow).set(row.due)
        metrics.waiting_keys.labels(row.scope, row.flow).set(row.waiting)
        metrics.held_keys.labels(row.scope, row.flow, team.value).set(row.held)
        metrics.held_oldest_seconds.labels(row.scope, row.flow).set(held)
    dead = await dead_letters(database)
    metrics.dead_letters.labels(source).set(dead.get(source, 0))
    for bucket in await permits.all():
        used = 1 - max(0.0, bucket.tokens) / bucket.capacity
        metrics.budget_used_ratio.labels(bucket.scope, bucket.name).set(used)
