"""Our own engine as the service runs it: Database.mark, Worker, scout, notices. Nothing is cut short for this."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg

from app.centra.client import CentraClient
from app.clock import Clock
from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.pauses import Pauses
from app.engine.wakeups import Wakeups, scout
from app.engine.worker import Worker
from app.settings import Channels
from app.store.marks import Mark
from app.store.migrate import migrate
from app.store.outbox import Claim, Verdict
from app.store.permits import SharedPermits
from app.store.pool import Database, connect
from app.wire.transport import Transport
from tests.benchmarks.engine import Producer, Seen

SCOPE, FLOW = Scope("demo-fr"), "bench"
KEYS = 50_000
CHANNELS = Channels.model_validate(
    {
        "centra": {"url": "http://127.0.0.1:9/graphql"},
        "channel": [{"id": SCOPE, "url": "http://127.0.0.1:9", "shop_id": 2001, "currency": "EUR", "market": 1}],
    }
)

READY = """
INSERT INTO outbox AS o (scope, flow, key, lane, lane_rank, due_at, dirty_since)
SELECT 'demo-fr', 'bench', 'SKU-' || g, CASE WHEN $2 THEN 'SKU-' || g END, 1, t, t
FROM generate_series(0, $1::bigint - 1) AS g,
     LATERAL (SELECT now() - ($1 - g / 1000) * interval '1 ms' AS t) AS due
ON CONFLICT (scope, flow, key) DO UPDATE SET
    version = o.version + 1, due_at = excluded.due_at, dirty_since = excluded.dirty_since
"""
"""As marks of a thousand keys each would have left them: one due time a thousand."""


class _Producer:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def one(self, sku: int, stamp: int) -> None:
        key = f"at-{stamp}" if stamp else f"SKU-{sku}"
        await self._database.mark([Mark(SCOPE, FLOW, key)])

    async def many(self, skus: list[int]) -> None:
        await self._database.mark([Mark(SCOPE, FLOW, f"SKU-{sku}") for sku in skus])


class Engine:
    lanes = False

    async def install(self, dsn: str) -> None:
        await migrate(dsn)
        async with _connected(dsn) as connection:
            await connection.execute("TRUNCATE outbox, lane")

    @contextlib.asynccontextmanager
    async def producer(self, dsn: str, connections: int) -> AsyncIterator[Producer]:
        wakeups = Wakeups()
        async with connect(dsn, wake=wakeups.marked, work_size=connections) as database:
            telling = asyncio.create_task(wakeups.tell(database))
            yield _Producer(database)
            telling.cancel()

    async def preload(self, dsn: str, count: int) -> None:
        async with _connected(dsn) as connection:
            await connection.execute(READY, count, self.lanes)
            await connection.execute("VACUUM ANALYZE outbox")
            await connection.execute("VACUUM ANALYZE lane")

    async def finish(self, dsn: str, count: int) -> None:
        """Level-triggered work: each of 50,000 keys is marked, claimed and settled again and again."""
        async with _connected(dsn) as connection:
            for _ in range(count // KEYS):
                await connection.execute(READY, KEYS, self.lanes)
                await connection.execute(
                    "UPDATE outbox SET claim = 0, claimed_version = version, attempts = 1, lease_until = now()"
                )
                await self.clear(dsn)

    async def clear(self, dsn: str) -> None:
        async with _connected(dsn) as connection:
            await connection.execute(
                "UPDATE outbox SET claim = NULL, lease_until = NULL, attempts = 0, due_at = NULL, dirty_since = NULL"
                " WHERE due_at IS NOT NULL"
            )

    async def consume(self, dsn: str, options: dict[str, Any], seen: Seen, stop: asyncio.Event) -> None:
        async def batch(turn: Pass) -> Mapping[Claim, Verdict]:
            for claim in turn.claims:
                seen(_stamp(claim.key), 1)
            return {}

        async def single(turn: Pass) -> Mapping[Claim, Verdict]:
            (claim,) = turn.claims
            await asyncio.sleep(0)  # something to wait for, so that keys are worked beside each other
            seen(_stamp(claim.key), 1)
            return {}

        flow = Flow(
            name=FLOW,
            team=Team.ECOMMERCE,
            scoped="channel",
            work=batch if "batch" in options else single,
            batch=options.get("batch", 0),
            at_once=options.get("at_once", 8),
            lane_rank=options.get("lane_rank"),
        )
        async with services(dsn) as parts:
            await run_worker(Worker(flow, SCOPE, parts), parts, stop)


class Lanes(Engine):
    lanes = True


def _stamp(key: str) -> int:
    return int(key[3:]) if key.startswith("at-") else 0


@contextlib.asynccontextmanager
async def services(dsn: str) -> AsyncIterator[Services]:
    """What a worker needs, put together as the supervisor does."""
    wakeups, clock = Wakeups(), Clock()
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect(dsn, wake=wakeups.marked))
        transport = await stack.enter_async_context(Transport("http://127.0.0.1:9", headers=dict, now=clock.now))
        permits = SharedPermits(database, clock)
        centra = CentraClient(transport, permits, CHANNELS.centra.id)
        yield Services(database, clock, permits, CHANNELS, centra, {}, wakeups, Pauses())


async def run_worker(worker: Worker, parts: Services, stop: asyncio.Event) -> None:
    """A worker with its scout, and notices both ways, until told to stop."""
    places = [(str(worker.scope), worker.flow.name)]
    around = [
        asyncio.create_task(scout(parts.database, parts.wakeups, places, parts.clock.scale)),
        asyncio.create_task(parts.wakeups.hear(parts.database.address)),
        asyncio.create_task(parts.wakeups.tell(parts.database)),
    ]
    working = asyncio.create_task(worker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping, *around}, return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    await working
    for task in around:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
