"""python -m tests.benchmarks.pooler: call permits taken a second, directly and through PgBouncer in both of its modes.

Needs PgBouncer (Debian: `pgbouncer`). The statement is the service's shortest write, so that what a round trip and a
plan cost shows most. Prints one JSON object; the engines take turns, and the middle round of three counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg

from app.commands.lab import free_port
from app.store.embedded_binaries import find_binaries, run_as
from app.store.migrate import migrate
from app.store.pool import COMMON, PINNED
from app.store.statements import sql
from tests.benchmarks.place import server

CONNECTIONS = 8
ROUNDS = 3
ROUND_SECONDS = 3.0
SETTINGS = COMMON | PINNED
SCOPES = """
INSERT INTO permit (scope, name, capacity, refill_per_second, tokens, refreshed_at)
SELECT 's' || g, 'OR11', 1e9, 1e9, 1e9, now() FROM generate_series(0, 99) AS g
"""


@contextlib.asynccontextmanager
async def bouncer(folder: Path, dsn: str, mode: str) -> AsyncIterator[str]:
    """PgBouncer before the server, which is told to overlook the settings that the service asks for; its address."""
    host, port = dsn.partition("host=")[2].partition("&")[0], free_port()
    file = folder / f"{mode}.ini"
    file.write_text(
        f"[databases]\npostgres = host={host} port=5432 user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n"
        f"default_pool_size = {CONNECTIONS}\nignore_startup_parameters = {','.join(SETTINGS)}\n"
    )
    way, _ = run_as(find_binaries(), folder)  # it refuses to be root, as Postgres does
    process = subprocess.Popen([*way.prefix, "pgbouncer", "--quiet", str(file)], stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - as it starts
    address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                await (await asyncpg.connect(address)).close()
                break
            await asyncio.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


async def rate(dsn: str, **options: Any) -> float:
    """How many permits a second these connections take."""
    connections = [await asyncpg.connect(dsn, **options) for _ in range(CONNECTIONS)]
    taken, until = 0, time.monotonic() + ROUND_SECONDS

    async def take(number: int, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        nonlocal taken
        while time.monotonic() < until:
            await connection.fetch(sql("permit/take"), f"s{number}", ["OR11"], [1.0], 1.0)
            taken += 1

    await asyncio.gather(*(take(number, each) for number, each in enumerate(connections)))
    for each in connections:
        await each.close()
    return taken / ROUND_SECONDS


async def measure() -> dict[str, Any]:
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="centra-mirakl-pooler-") as name:
        async with (
            server() as dsn,
            bouncer(Path(name), dsn, "session") as session,
            bouncer(Path(name), dsn, "transaction") as transaction,
        ):
            await migrate(dsn)
            connection = await asyncpg.connect(dsn)
            await connection.execute(SCOPES)
            await connection.close()
            for _ in range(ROUNDS):
                found["direct"].append(await rate(dsn, server_settings=SETTINGS))
                found["session mode"].append(await rate(session, server_settings=SETTINGS))
                found["transaction mode, no statement cache"].append(await rate(transaction, statement_cache_size=0))
            try:
                await rate(transaction, server_settings=SETTINGS)
                refused = ""
            except asyncpg.PostgresError as exc:
                refused = str(exc).partition("\n")[0]
    rates = {name: round(statistics.median(rates)) for name, rates in found.items()}
    return {"taken_per_second": rates, "transaction mode, as the service connects": refused or "works"}


if __name__ == "__main__":
    json.dump(
        asyncio.run(measure()) | {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}, sys.stdout, indent=1
    )
    print()
