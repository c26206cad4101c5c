"""procrastinate 3.10.0 over psycopg, its async worker, with the same autovacuum settings as the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import procrastinate

from tests.benchmarks.engine import Producer, Seen

READY = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    " SELECT 'stock', 'stock', jsonb_build_object('sku', g % 50000, 't', 0)"
    " FROM generate_series(1, $1::bigint) AS g"
)


class _Producer:
    def __init__(self, task: Any) -> None:
        self._task = task

    async def one(self, sku: int, stamp: int) -> None:
        await self._task.defer_async(sku=sku, t=stamp)

    async def many(self, skus: list[int]) -> None:
        await self._task.batch_defer_async(*({"sku": sku, "t": 0} for sku in skus))


class Engine:
    async def install(self, dsn: str) -> None:
        async with _connected(dsn) as connection:
            await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        app = _app(dsn, 2)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
        async with _connected(dsn) as connection:
            for table in ("procrastinate_jobs", "procrastinate_events"):
                await connection.execute(
                    f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0)"
                )

    @contextlib.asynccontextmanager
    async def producer(self, dsn: str, connections: int) -> AsyncIterator[Producer]:
        app = _app(dsn, connections)

        @app.task(name="stock", queue="stock")
        async def stock(sku: int, t: int) -> None: ...

        async with app.open_async():
            yield _Producer(stock)

    async def preload(self, dsn: str, count: int) -> None:
        async with _connected(dsn) as connection:
            await connection.execute(READY, count)
            await connection.execute("VACUUM ANALYZE procrastinate_jobs")
            await connection.execute("VACUUM ANALYZE procrastinate_events")

    async def finish(self, dsn: str, count: int) -> None:
        async with _connected(dsn) as connection:
            await connection.execute(READY, count)
            await connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
            await connection.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")

    async def clear(self, dsn: str) -> None:
        async with _connected(dsn) as connection:
            await connection.execute("DELETE FROM procrastinate_jobs")

    async def consume(self, dsn: str, options: dict[str, Any], seen: Seen, stop: asyncio.Event) -> None:
        at_once = options["concurrency"]
        app = _app(dsn, min(at_once + 2, 20))

        @app.task(name="stock", queue="stock")
        async def stock(sku: int, t: int) -> None:
            seen(t, 1)

        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    concurrency=at_once,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    shutdown_graceful_timeout=5,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await working
            stopping.cancel()


def _app(dsn: str, connections: int) -> procrastinate.App:
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    connector = procrastinate.PsycopgConnector(conninfo=dsn, min_size=1, max_size=connections)
    return procrastinate.App(connector=connector)


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
