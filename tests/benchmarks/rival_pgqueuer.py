"""PgQueuer 1.6.0 over asyncpg, with the autovacuum settings that its tuning guide asks for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from tests.benchmarks.engine import Producer, Seen


class _Producer:
    def __init__(self, pool: asyncio.Queue[Queries]) -> None:
        self._pool = pool

    async def one(self, sku: int, stamp: int) -> None:
        queries = await self._pool.get()
        await queries.enqueue("stock", b"%d,%d" % (sku, stamp))
        self._pool.put_nowait(queries)

    async def many(self, skus: list[int]) -> None:
        queries = await self._pool.get()
        await queries.enqueue(["stock"] * len(skus), [b"%d,0" % sku for sku in skus], [0] * len(skus))
        self._pool.put_nowait(queries)


class Engine:
    async def install(self, dsn: str) -> None:
        async with _connected(dsn) as connection:
            queries = Queries(AsyncpgDriver(connection))
            with contextlib.suppress(Exception):
                await queries.uninstall()
            await queries.install()
            await queries.optimize_autovacuum()

    @contextlib.asynccontextmanager
    async def producer(self, dsn: str, connections: int) -> AsyncIterator[Producer]:
        pool: asyncio.Queue[Queries] = asyncio.Queue()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(connections):
                pool.put_nowait(Queries(AsyncpgDriver(await stack.enter_async_context(_connected(dsn)))))
            yield _Producer(pool)

    async def preload(self, dsn: str, count: int) -> None:
        async with _connected(dsn) as connection:
            await connection.execute(
                "INSERT INTO pgqueuer (priority, status, entrypoint, payload, headers)"
                " SELECT 0, 'queued', 'stock', convert_to(g % 50000 || ',0', 'UTF8'), 'null'"
                " FROM generate_series(1, $1::bigint) AS g",
                count,
            )
            await connection.execute("VACUUM ANALYZE pgqueuer")

    async def finish(self, dsn: str, count: int) -> None:
        await self.preload(dsn, count)
        async with _connected(dsn) as connection:
            await connection.execute(
                "UPDATE pgqueuer SET status = 'picked', updated = now(), heartbeat = now(),"
                " queue_manager_id = gen_random_uuid()"
            )
            await connection.execute("DELETE FROM pgqueuer")

    async def clear(self, dsn: str) -> None:
        async with _connected(dsn) as connection:
            await connection.execute("DELETE FROM pgqueuer")

    async def consume(self, dsn: str, options: dict[str, Any], seen: Seen, stop: asyncio.Event) -> None:
        logging.getLogger("pgqueuer").setLevel(logging.ERROR)
        async with _connected(dsn) as connection:
            service = PgQueuer(AsyncpgDriver(connection))

            @service.entrypoint("stock")
            async def handle(job: Job) -> None:
                assert job.payload is not None
                seen(int(job.payload.rsplit(b",", 1)[1]), 1)

            async def stopper() -> None:
                await stop.wait()
                service.shutdown.set()

            stopping = asyncio.create_task(stopper())
            await service.run(batch_size=options["batch"], dequeue_timeout=timedelta(seconds=5))
            stopping.cancel()


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        with contextlib.suppress(Exception):
            await connection.close(timeout=5)
