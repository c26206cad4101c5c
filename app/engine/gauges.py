"""Fills the database gauges: every replica exports the same figures, read every few seconds, off the hot path.

The watch over deadlines of orders is a part of it. It goes by stored rows alone, so it runs while a channel is paused,
while a platform is down, and in dry run; and it comes first, so that nothing slower hides it. What costs more has a
loop of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import anyio

from app.clock import monotonic
from app.domain.teams import Team
from app.engine.flow import Services
from app.engine.loop_delay import watch_loop
from app.engine.money_gauges import read_money
from app.engine.slow_gauges import (
    read_ages,
    read_differences,
    read_parity,
    read_publications,
    read_ratings,
    read_silence,
    read_size,
    tell_expiry,
    tell_levels,
)
from app.engine.wakeups import Place
from app.mirakl.quotas import spacing_seconds
from app.settings import Channels
from app.store import held, orders, threads, watch
from app.store.census import FlowCensus, census, dead_letters
from app.store.orders import Watch
from app.store.pool import DATABASE_AWAY
from app.telemetry import metrics

EVERY_SECONDS = 5.0
SLOWLY_SECONDS = 60.0
"""App seconds."""
SHARE_OF_TIME = 0.05
"""Counting may take a twentieth of the time; a large backlog is counted less often."""
NOTHING_OPEN = Watch(0, None, 0.0, None, 0, 0)
NOTHING_PENDING = watch.Pending(0, None)
NOBODY = threads.Waiting(0, None, 0)
DAY_SECONDS = 86_400.0
"""Shown as time left where no order waits for a decision."""


async def keep_gauges(services: Services, places: Mapping[Place, Team]) -> None:
    """Read and export, for ever. `places`: every (scope, flow) worked here, and who owns what it holds."""
    _tell_limits(services.settings)
    tell_expiry(services.settings)
    tell_levels(services.settings)

    async def slowly() -> None:
        while True:
            _, seconds = await _read_all(services, places, SLOW)
            usual = max(EVERY_SECONDS, SLOWLY_SECONDS / services.clock.scale)
            await anyio.sleep(max(usual, seconds / SHARE_OF_TIME))

    async with anyio.create_task_group() as beside:
        beside.start_soon(watch_loop)
        beside.start_soon(slowly)
        while True:
            there, seconds = await _read_all(services, places, QUICK)
            metrics.ready.set(there)
            await anyio.sleep(max(EVERY_SECONDS, seconds / SHARE_OF_TIME))


async def _read_all(
    services: Services, places: Mapping[Place, Team], readings: Sequence[Reading]
) -> tuple[bool, float]:
    """Whether the database was there, else gauges keep what was last known; and the real seconds that it took."""
    began, there = monotonic(), True
    try:
        for read in readings:
            await read(services, places)
    except DATABASE_AWAY:
        there = False
    return there, monotonic() - began


def _tell_limits(settings: Channels) -> None:
    """What rules compare with, since it differs by channel."""
    for channel in settings.channel:
        own = channel.orders
        metrics.payment_wait_limit_seconds.labels(channel.id).set(own.oldest_payment_wait_seconds)
        if own.is_read:
            seconds = max(own.pass_seconds, spacing_seconds("OR11.pass", channel.profile))
            metrics.order_pass_interval_seconds.labels(channel.id).set(seconds)


async def _read_orders(services: Services, _: Mapping[Place, Team]) -> None:
    watched = await orders.watch(services.database)
    now = services.clock.now()
    for scope in services.channels():
        row = watched.get(scope, NOTHING_OPEN)
        left = DAY_SECONDS if row.first_deadline is None else (row.first_deadline - now).total_seconds()
        metrics.orders_open.labels(scope).set(row.open)
        metrics.orders_unaccepted.labels(scope).set(row.unaccepted)
        metrics.acceptance_window_used_ratio.labels(scope).set(row.used_window)
        metrics.acceptance_seconds_left.labels(scope).set(left)
        metrics.payment_wait_seconds.labels(scope).set(_age(now, row.oldest_payment_wait))
        metrics.orders_blocked.labels(scope).set(row.problems)
    async with services.database.desk.acquire() as connection:
        orphans = await orders.orphans(connection, services.source)
    metrics.centra_orphans.labels(services.source).set(len(orphans))


async def _read_buyers(services: Services, _: Mapping[Place, Team]) -> None:
    """What buyers wait for."""
    waiting, now = await threads.watch(services.database), services.clock.now()
    for scope in services.channels():
        row = waiting.get(scope, NOBODY)
        metrics.waiting_threads.labels(scope).set(row.threads)
        metrics.waiting_threads_oldest_seconds.labels(scope).set(_age(now, row.since))
        metrics.open_incidents.labels(scope).set(row.incidents)


async def _read_flows(services: Services, places: Mapping[Place, Team]) -> None:
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


async def _read_held(services: Services, places: Mapping[Place, Team]) -> None:
    async with services.database.desk.acquire() as connection:
        shares = await held.count(connection)
    now = services.clock.now()
    items, money = defaultdict[tuple[str, ...], float](float), defaultdict[tuple[str, ...], float](float)
    oldest = defaultdict[tuple[str, ...], float](float)
    for share in shares:
        owner = share.team or places.get((share.scope, share.flow), Team.PLATFORM).value
        items[share.scope, share.flow, owner, share.advice or "key"] += share.items
        place = (share.scope, share.flow, owner)
        oldest[place] = max(oldest[place], _age(now, share.oldest_at))
        if share.amount is not None and share.currency is not None:
            money[share.scope, share.flow, owner, share.currency] += float(share.amount)
    for gauge, found in (
        (metrics.held_items, items),
        (metrics.held_money, money),
        (metrics.held_items_oldest_seconds, oldest),
    ):
        gauge.clear()  # where nothing waits there is no series
        for labels, value in found.items():
            gauge.labels(*labels).set(value)


async def _read_pending(services: Services, places: Mapping[Place, Team]) -> None:
    """What left and has no end yet: parcels not told, outside writes in doubt."""
    now = services.clock.now()
    untold, doubtful = await watch.untold_shipments(services.database), await watch.doubtful_effects(services.database)
    for scope in services.channels():
        parcels = untold.get(scope, NOTHING_PENDING)
        metrics.untold_shipments.labels(scope).set(parcels.count)
        metrics.untold_shipments_oldest_seconds.labels(scope).set(_age(now, parcels.since))
    for gauge in (metrics.doubtful_effects, metrics.doubtful_effects_oldest_seconds):
        gauge.clear()  # a flow that nobody works here any more has a series only while it is in doubt
    for place in {**dict.fromkeys(places), **dict.fromkeys(doubtful)}:
        effects = doubtful.get(place, NOTHING_PENDING)
        metrics.doubtful_effects.labels(*place).set(effects.count)
        metrics.doubtful_effects_oldest_seconds.labels(*place).set(_age(now, effects.since))


Reading: TypeAlias = Callable[[Services, Mapping[Place, Team]], Awaitable[None]]
QUICK: Sequence[Reading] = (_read_orders, _read_flows, _read_held, _read_pending, _read_buyers)
SLOW: Sequence[Reading] = (
    read_differences,
    read_parity,
    read_silence,
    read_size,
    read_ratings,
    read_publications,
    read_ages,
    read_money,
)


def _age(now: datetime, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
