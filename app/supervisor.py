"""Composition root and life cycle: everything is put together here, and runs in one task group.

Waits for Postgres (live, not ready, one try a second), starts a worker for each flow and scope, and drains on
SIGTERM: nothing new is claimed, what runs has 25 s, and all is over within 30; a second signal ends at once. Replicas
are equal; there is no leader.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from app import platforms
from app.centra.client import CentraClient
from app.centra.order_api import CEILING, OrderApi
from app.clock import Clock
from app.domain.ids import Scope
from app.domain.progress import Outcome
from app.domain.teams import Team
from app.engine.flow import Flow, Services
from app.engine.gauges import keep_gauges
from app.engine.pauses import Pauses
from app.engine.wakeups import Place, Wakeups, scout
from app.engine.worker import Worker
from app.flows import all_flows
from app.flows.allowance import SMALLEST_PLAN, buckets
from app.flows.events import QUEUES
from app.mirakl.client import MiraklClient
from app.mirakl.quotas import bucket, codes
from app.policies.guard import Suspicion
from app.settings import (
    CENTRA_WEBHOOK_SECRETS,
    PRIVACY_KEY,
    Channels,
    Process,
    Secrets,
    SettingsError,
)
from app.store.migrate import pending
from app.store.offers import STOCK
from app.store.permits import SharedPermits
from app.store.pool import DATABASE_AWAY, Database, connect
from app.store.time import read_clock
from app.telemetry import metrics
from app.telemetry.logs import log
from app.telemetry.tracing import end_tracing
from app.web.server import State, bind, create_metrics, create_webhooks, serve, server
from app.web.webhooks import VERDICTS

DATABASE_RETRY_SECONDS = 1.0
CLOCK_SECONDS = 1.0
LET_GO_SECONDS = 1.0
"""After the drain: how long work that was cut off may take to give back what it holds."""
END_SECONDS = 3.0
"""After that: for listeners and traces together. A pod's grace of 30 s holds a drain of 25 s and both."""
ORDER_API_PER_SECOND, ORDER_API_BURST = 50.0, 100.0
"""Centra names no limit for its Order API; our own figure, in real time, keeps a loop gone wrong polite."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a process was told."""

    process: Process
    channels: Channels
    secrets: Secrets

    @property
    def dsn(self) -> str:
        """Where Postgres is now: a mounted file is read again. Raises SettingsError when nobody said."""
        return database_address(self.process, self.secrets)

    @property
    def only_loopback(self) -> bool:
        """Whether every platform is on this machine: only then may the clock be anything but the wall clock."""
        urls = [self.channels.centra.url, *(c.url for c in self.channels.channel)]
        return all(urlsplit(url).hostname in LOOPBACK for url in urls)


def database_address(process: Process, secrets: Secrets) -> str:
    """DATABASE_URL, from the environment or a mounted file. Raises SettingsError when nobody said."""
    dsn = process.database_url.get_secret_value()
    try:
        return dsn or secrets.read("DATABASE_URL").get_secret_value()
    except SettingsError as exc:
        raise SettingsError(f"{exc}; it is the address of a PostgreSQL 15 or newer") from None


# ------------------------------------------------------------------------------------------------ putting together


@contextlib.asynccontextmanager
async def services(configuration: Configuration, database: Database, wakeups: Wakeups) -> AsyncIterator[Services]:
    """Everything a flow works with, over a database that is reachable."""
    clock = Clock()
    await _follow_clock(configuration, database, clock)
    permits = SharedPermits(database, clock)
    channels = configuration.channels
    await open_permits(permits, channels, clock.scale)
    async with contextlib.AsyncExitStack() as stack:
        secrets = configuration.secrets
        centra_transport = await stack.enter_async_context(platforms.centra(channels.centra, secrets, clock))
        mirakl: dict[Scope, MiraklClient] = {}
        for channel in channels.channel:
            shop = await stack.enter_async_context(platforms.mirakl(channel, secrets, clock))
            accountancy = await stack.enter_async_context(platforms.accountancy(channel, secrets, clock, shop.breaker))
            mirakl[Scope(channel.id)] = MiraklClient(
                shop, permits, channel.id, channel.shop_id, profile=channel.profile, accountancy=accountancy
            )
        centra = CentraClient(centra_transport, permits, channels.centra.id)
        order_api: OrderApi | None = None
        if channels.centra.order_api is not None:
            rest = await stack.enter_async_context(platforms.order_api(channels.centra, secrets, clock))
            order_api = OrderApi(rest, permits, channels.centra.id)
        yield Services(
            database,
            clock,
            permits,
            channels,
            centra,
            mirakl,
            wakeups,
            Pauses(),
            order_api=order_api,
            privacy_key=privacy_key(configuration),
        )


def privacy_key(configuration: Configuration) -> bytes:
    """Keys the hash of e-mail addresses. Raises SettingsError when orders are read and nobody set it."""
    if not any(channel.orders.is_read for channel in configuration.channels.channel):
        return b""
    return configuration.secrets.read(PRIVACY_KEY).get_secret_value().encode()


async def open_permits(permits: SharedPermits, channels: Channels, scale: float) -> None:
    """Make sure that every ceiling has its bucket; Centra's begin as the smallest plan until its words are read."""
    for channel in channels.channel:
        ours = {code: bucket(code, channel.profile, scale) for code in codes(channel.profile)}
        await permits.open(channel.id, ours)
    known = {bucket.name for bucket in await permits.all() if bucket.scope == channels.centra.id}
    if "requests.1h" not in known:
        await permits.open(channels.centra.id, buckets(SMALLEST_PLAN, channels.centra.share))
    await permits.open(channels.centra.id, {CEILING: (ORDER_API_BURST, ORDER_API_PER_SECOND / scale)})


async def _follow_clock(configuration: Configuration, database: Database, clock: Clock) -> None:
    async with database.desk.acquire() as connection:
        reading = await read_clock(connection)
    if reading.is_set and not configuration.only_loopback:
        raise SettingsError(
            "the database has an app clock that is not the wall clock (table app_clock), which is for sandboxes only,"
            " but the channel file names hosts that are not loopback: use another database"
        )
    clock.follow(reading.rate)


# ------------------------------------------------------------------------------------------------ life cycle


async def run(configuration: Configuration) -> None:
    """Work until a signal says stop. Raises SettingsError for a configuration that can't work."""
    state, process = State(), configuration.process
    webhooks = server(create_webhooks(state, lambda: _webhook_secrets(configuration)))
    listeners = {
        webhooks: bind(process.host, process.port),
        server(create_metrics(state)): bind(process.host, process.metrics_port),
    }
    async with anyio.create_task_group() as everything:
        stop, closed = anyio.Event(), anyio.Event()
        everything.start_soon(_watch_signals, stop, everything, process.drain_seconds)
        everything.start_soon(serve, listeners, closed)
        for web, listener in listeners.items():
            name = "webhooks" if web is webhooks else "metrics"
            log.info("listening", name=name, address="{}:{}".format(*listener.getsockname()[:2]))
        try:
            async with _database(configuration, state, stop) as found:
                if found is not None:
                    await _work(configuration, found[0], found[1], state, stop)
        finally:
            for web in listeners:
                web.should_exit = True
            with anyio.move_on_after(END_SECONDS, shield=True):
                await anyio.to_thread.run_sync(end_tracing, abandon_on_cancel=True)
                await closed.wait()
            everything.cancel_scope.cancel()


def _webhook_secrets(configuration: Configuration) -> Sequence[str]:
    found = configuration.secrets.read_several(CENTRA_WEBHOOK_SECRETS)
    return [secret.get_secret_value() for secret in found]


async def _watch_signals(stop: anyio.Event, everything: TaskGroup, drain_seconds: float) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("signal", signal=signal.Signals(number).name)
            if stop.is_set():
                everything.cancel_scope.cancel()
                return
            stop.set()
            # A database that went away keeps its pools from closing: nothing may outlast the grace for that.
            everything.cancel_scope.deadline = anyio.current_time() + drain_seconds + LET_GO_SECONDS


@contextlib.asynccontextmanager
async def _database(
    configuration: Configuration, state: State, stop: anyio.Event
) -> AsyncIterator[tuple[Database, Wakeups] | None]:
    """Postgres once it is reachable and migrated; None when we were stopped first."""
    wakeups = Wakeups()
    async with contextlib.AsyncExitStack() as stack:
        while not stop.is_set():
            try:
                missing = await pending(configuration.dsn)
                database = None
                if not missing:
                    database = await stack.enter_async_context(connect(lambda: configuration.dsn, wake=wakeups.marked))
            except DATABASE_AWAY as exc:
                state.waits_for = f"the database ({type(exc).__name__})"
            else:
                if database is not None:  # outside the `try`: what fails in the caller's block is not ours
                    yield database, wakeups
                    return
                state.waits_for = f"the migrations {', '.join(missing)}: run `centra-mirakl migrate`"
            log.warning("not_ready", reason=state.waits_for)
            with anyio.move_on_after(DATABASE_RETRY_SECONDS):
                await stop.wait()
        yield None


async def _work(
    configuration: Configuration, database: Database, wakeups: Wakeups, state: State, stop: anyio.Event
) -> None:
    async with services(configuration, database, wakeups) as parts, anyio.create_task_group() as around:
        flows = all_flows()
        workers = [Worker(flow, scope, parts) for flow in flows for scope in flow.scopes(configuration.channels)]
        _zero_counters(flows, configuration.channels)
        places: dict[Place, Team] = {(w.scope, w.flow.name): w.flow.team for w in workers}
        around.start_soon(_for_ever, "hear", lambda: wakeups.hear(database.address))
        around.start_soon(_for_ever, "tell", lambda: wakeups.tell(database))
        around.start_soon(_for_ever, "scout", lambda: scout(database, wakeups, places, parts.clock.scale))
        around.start_soon(_for_ever, "gauges", lambda: keep_gauges(parts, places))
        around.start_soon(_for_ever, "clock", lambda: _keep_clock(configuration, database, parts.clock))
        state.services = parts
        metrics.ready.set(1)
        log.info("ready", flows=len(flows), count=len(workers))
        await _run_workers(workers, stop, configuration.process.drain_seconds, state)
        metrics.ready.set(0)
        state.services = None  # webhooks that still come are told to try again, not given a pool that closes
        around.cancel_scope.cancel()


async def _for_ever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Work beside the workers that must not end the process: whatever breaks it is logged, and it begins anew.

    A connection that dies in the middle of its use makes asyncpg raise more than what says that the database is away.
    """
    while True:
        try:
            await work()
            return
        except Exception:
            log.exception("begins_anew", name=name)
            await anyio.sleep(DATABASE_RETRY_SECONDS)


async def _run_workers(workers: Sequence[Worker], stop: anyio.Event, drain_seconds: float, state: State) -> None:
    """Run all workers until told to stop, then let them finish what they have for so long."""
    async with anyio.create_task_group() as running:

        async def end() -> None:
            await stop.wait()
            state.draining = True
            for worker in workers:
                worker.stop()
            await anyio.sleep(drain_seconds)
            log.warning("drain_cut_short", seconds=drain_seconds)
            running.cancel_scope.cancel()

        async def work() -> None:
            async with anyio.create_task_group() as group:
                for worker in workers:
                    group.start_soon(worker.run)
            running.cancel_scope.cancel()

        running.start_soon(end)
        running.start_soon(work)


async def _keep_clock(configuration: Configuration, database: Database, clock: Clock) -> None:
    """Follow the database's clock."""
    while True:
        with contextlib.suppress(*DATABASE_AWAY):
            await _follow_clock(configuration, database, clock)
        await anyio.sleep(CLOCK_SECONDS)


def _zero_counters(flows: Sequence[Flow], channels: Channels) -> None:
    """Counters start at 0 for every label set that can occur (business rule 23)."""
    for flow in flows:
        for scope in flow.scopes(channels):
            for verdict in ("settled", "waiting", "held", "postponed"):
                metrics.keys_settled.labels(scope, flow.name, verdict)
            metrics.claims_lost.labels(scope, flow.name)
            metrics.passes_failed.labels(scope, flow.name)
            metrics.stale_corrected.labels(scope, flow.name)
    source = channels.centra.id
    metrics.valve_openings.labels(source)
    metrics.sweep_found.labels(source)
    for verdict in VERDICTS:
        metrics.webhooks.labels(source, verdict)
    for types in QUEUES.values():
        for object_type in types:
            metrics.events_read.labels(source, object_type)
    for channel in channels.channel:
        for counter in (
            metrics.orders_seen,
            metrics.orders_read,
            metrics.orders_near_lapse,
            metrics.orders_accepted_elsewhere,
            metrics.oversold_units,
            metrics.not_blocked,
            metrics.stored_to_accepted_seconds,
            metrics.shipped_to_told_seconds,
            metrics.negative_stock,
        ):
            counter.labels(channel.id)
        for outcome in Outcome:
            metrics.orders_ended.labels(channel.id, outcome.value)
        metrics.unknown_words.labels(channel.id, "order_state")
        metrics.change_to_confirmed_seconds.labels(channel.id, STOCK)
        for kind in Suspicion:
            metrics.guard_alarms.labels(channel.id, kind.value)
        for result in ("confirmed", "refused"):
            metrics.import_lines.labels(channel.id, STOCK, result)
        for ending in ("done", "unconfirmed", "failed", "lost", "unknown"):
            metrics.imports_ended.labels(channel.id, STOCK, ending)
