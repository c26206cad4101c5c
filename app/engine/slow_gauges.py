"""Database gauges that cost more to read and change more slowly: once a minute is often enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time

from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.wakeups import Place
from app.policies.parity import score
from app.policies.ratings import Standing, standing
from app.settings import Channels
from app.store import mirrors, parity, publications, ratings, watch
from app.store.publications import Standing as PublicationStanding
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


def tell_levels(settings: Channels) -> None:
    """The operators' levels, which rules compare ratings with."""
    for channel in settings.channel:
        for measure, told in channel.ratings.levels.items():
            for level, value in (("warning", told.warning), ("limit", told.limit)):
                if value is not None:
                    metrics.seller_rating_limit.labels(channel.id, measure.value, level).set(float(value))


async def read_ratings(services: Services, _: Mapping[Place, Team]) -> None:
    """How marketplaces rate the shop, and how we count it; not what an operator does not rate yet."""
    async with services.database.desk.acquire() as connection:
        found = await ratings.read(connection)
    metrics.seller_rating.clear()
    for channel in services.settings.channel:
        told = channel.ratings
        for one in found.get(channel.id, ()) if told.on else ():
            levels = told.of(one.measure).levels
            how = standing(one.measure, one.value, levels, orders=one.orders, least_orders=told.least_orders)
            if one.value is not None and how is not Standing.UNRATED:
                metrics.seller_rating.labels(channel.id, one.measure.value, one.source.value).set(float(one.value))


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


async def read_publications(services: Services, _: Mapping[Place, Team]) -> None:
    """How products, offers and prices stand, and why not. Every state has a value, so that a rise from none is seen."""
    async with services.database.desk.acquire() as connection:
        counted, why = await publications.watch(connection), await publications.reasons(connection)
    now = services.clock.now()
    published = [(channel.id, kind) for channel in services.settings.channel for kind in channel.publishes]
    none = {(scope, kind, state.value): (0, 0.0) for scope, kind in published for state in PublicationStanding}
    there = {(r.scope, r.kind.value, r.state.value): (r.keys, _age(now, r.oldest)) for r in counted}
    for gauge in (metrics.publication_keys, metrics.publication_oldest_seconds, metrics.publication_reason_keys):
        gauge.clear()
    for labels, (keys, oldest) in (none | there).items():
        metrics.publication_keys.labels(*labels).set(keys)
        metrics.publication_oldest_seconds.labels(*labels).set(oldest)
    for *named, keys in why:
        metrics.publication_reason_keys.labels(*named).set(keys)


async def read_ages(services: Services, _: Mapping[Place, Team]) -> None:
    """How old that is by which we decide."""
    async with services.database.desk.acquire() as connection:
        found = await mirrors.ages(connection)
    now = services.clock.now()
    for scope, name, at in found:
        metrics.mirror_age_seconds.labels(scope, name).set(_age(now, at))


def _age(now: datetime, since: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
