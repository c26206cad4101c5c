"""Database gauges that cost more to read and change more slowly: once a minute is often enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time

from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.wakeups import Place
from app.settings import Channels
from app.store import watch
from app.telemetry import metrics

CONNECTION_STATES = ("active", "idle", "idle in transaction")
"""Have a value even when there is none; others only while there are some."""


def tell_expiry(settings: Channels) -> None:
    """When keys and tokens end, as somebody wrote it down: the platforms do not tell."""
    told = [(settings.centra.id, "token", settings.centra.token_expires_on)]
    for each in settings.channel:
        told += [(each.id, "token", each.token_expires_on), (each.id, "finance token", each.finance_token_expires_on)]
    for scope, kind, day in told:
        if day is not None:
            ends_at = datetime.combine(day, time(), UTC)
            metrics.credential_expires_timestamp_seconds.labels(scope, kind).set(ends_at.timestamp())


async def read_differences(services: Services, _: Mapping[Place, Team]) -> None:
    """What the marketplaces have otherwise than confirmed."""
    found = await watch.stock_differences(services.database)
    for scope in services.channels(stock_on=True):
        metrics.stock_differences.labels(scope).set(found.get(scope, 0))


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
