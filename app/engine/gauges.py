"""Fills the database gauges: every replica exports the same figures, read every few seconds, off the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import anyio

from app.clock import monotonic
from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.wakeups import Place
from app.store.census import FlowCensus, census, dead_letters
from app.store.pool import DATABASE_AWAY
from app.telemetry import metrics

EVERY_SECONDS = 5.0
SHARE_OF_TIME = 0.05
"""Counting may take a twentieth of the time; a large backlog is counted less often."""


async def keep_gauges(services: Services, places: Mapping[Place, Team]) -> None:
    """Read and export, for ever. `places`: every (scope, flow) worked here, and who owns what it holds."""
    while True:
        began = monotonic()
        try:
            await _read(services, places)
            metrics.ready.set(1)
        except DATABASE_AWAY:
            metrics.ready.set(0)  # the other gauges keep what was last known
        await anyio.sleep(max(EVERY_SECONDS, (monotonic() - began) / SHARE_OF_TIME))


async def _read(services: Services, places: Mapping[Place, Team]) -> None:
    now = services.clock.now()
    counted = {(row.scope, row.flow): row for row in await census(services.database)}
    for (scope, flow), team in places.items():  # one with nothing to do has no row
        row = counted.get((scope, flow), FlowCensus(scope, flow, 0, 0, 0, None, None))
        metrics.lag_seconds.labels(scope, flow).set(_age(now, row.oldest_since))
        metrics.due_keys.labels(scope, flow).set(row.due)
        metrics.waiting_keys.labels(scope, flow).set(row.waiting)
        metrics.held_keys.labels(scope, flow, team.value).set(row.held)
        metrics.held_oldest_seconds.labels(scope, flow).set(_age(now, row.oldest_held_at))
    dead = await dead_letters(services.database)
    metrics.dead_letters.labels(services.source).set(dead.get(services.source, 0))
    for bucket in await services.permits.all():
        used = 1 - max(0.0, bucket.tokens) / bucket.capacity
        metrics.budget_used_ratio.labels(bucket.scope, bucket.name).set(used)


def _age(now: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
