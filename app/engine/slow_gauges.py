"""Database gauges that cost more to read and change more slowly: once a minute is often enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time

from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.wakeups import Place
from app.policies.parity import score
from app.settings import Channels
from app.store import parity, watch
from app.telemetry import metrics

CONNECTION_STATES = ("active", "idle", "idle in transaction")
"""Have a value even when there is none; others only while there are some."""


def tell_expiry(settings: Channels) -> None:
    """When keys and tokens end, as somebody wrote it down: the platforms do not tell."""
    centra = settings.centra
    told = {centra.id: centra.token_expires_on, **{each.id: each.token_expires_on for each in settings.channel}}
    for scope, day in told.items():
        if day is not None:
            ends_at = datetime.combine(day, time(), UTC)
            metrics.credential_expires_timestamp_seconds.labels(scope, "token").set(ends_at.timestamp())


async def read_differences(services: Services, _: Mapping[Place, Team]) -> None:
    """What the marketplaces have otherwise than confirmed."""
    found = await watch.stock_differences(services.database)
    for scope in services.channels(stock_on=True):
        metrics.stock_differences.labels(scope).set(found.get(scope, 0))


async def read_parity(services: Services, _: Mapping[Place, Team]) -> None:
    """How much both ends agree, what they have otherwise, and how old that is."""
    async with services.database.desk.acquire() as connection:
        runs = await parity.runs(connection)
    counted, now = await parity.counted(services.database), services.clock.now()
    for gauge in (metrics.parity_share, metrics.parity_age_seconds, metrics.parity_differences):
        gauge.clear()  # a kind that is not compared any more has no series
    for run in runs:
        if run.scope in services.settings.by_id():
            metrics.parity_share.labels(run.scope, run.kind.value).set(score(run.compared, run.differing))
            age = max(0.0, (now - run.began_at).total_seconds())
            metrics.parity_age_seconds.labels(run.scope, run.kind.value).set(age)
    for scope, kind, cause, count in counted:
        metrics.parity_differences.labels(scope, kind.value, cause.value).set(count)


async def read_silence(services: Services, _: Mapping[Place, Team]) -> None:
    """How long no order came, and how long that usually is at this hour, where orders are read."""
    scopes = [channel.id for channel in services.settings.channel if channel.orders.is_read]
    found, now = await watch.silence(services.database, scopes), services.clock.now()
    for scope, row in found.items():
        age = 0.0 if row.newest is None else max(0.0, (now - row.newest).total_seconds())
        metrics.newest_order_age_seconds.labels(scope).set(age)
        usual = 0.0 if row.usual_gap is None else row.usual_gap.total_seconds()
        metrics.usual_order_gap_seconds.labels(scope).set(usual)


async def read_size(services: Services, _: Mapping[Place, Team]) -> None:
    """What the database takes."""
    found = await watch.size(services.database)
    metrics.database_bytes.set(found.size_bytes)
    metrics.database_connections.clear()
    for state, count in (dict.fromkeys(CONNECTION_STATES, 0) | dict(found.connections)).items():
        metrics.database_connections.labels(state).set(count)
    for table, (rows, dead) in found.tables.items():
        metrics.table_rows.labels(table).set(rows)
        metrics.table_dead_rows.labels(table).set(dead)
