"""One throw-away Postgres for a run, durable, with the same settings for every engine; a database for each engine."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil

from app.store.embedded import local_postgres
from tests.postgres import in_database

SETTINGS = {
    "max_connections": "120",
    "shared_buffers": "2GB",
    "effective_cache_size": "12GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "512MB",
    "wal_level": "replica",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_buffers": "64MB",
    "max_wal_size": "8GB",
    "min_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "on",
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_cost_delay": "0",
    "max_parallel_workers_per_gather": "0",
    "log_min_messages": "fatal",
}
"""Durable: fsync and synchronous_commit stay on. For a machine of 2 cores and 24 GiB."""


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[str]:
    """The DSN of the maintenance database of a fresh server, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="centra-mirakl-bench-"))
    try:
        async with local_postgres(folder / "postgres", options=SETTINGS) as dsn:
            yield dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def postmaster(dsn: str) -> psutil.Process:
    """The server's first process."""
    connection = await asyncpg.connect(dsn)
    try:
        parent = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
    finally:
        await connection.close()
    assert parent is not None
    return parent


def server_cpu_seconds(first: psutil.Process) -> float:
    """User and system time of the whole server so far, ended processes and all."""
    times = first.cpu_times()
    total = float(times.user + times.system + times.children_user + times.children_system)
    for child in first.children():
        with contextlib.suppress(psutil.Error):
            own = child.cpu_times()
            total += float(own.user + own.system)
    return total


async def fresh_database(dsn: str, name: str) -> str:
    """The DSN of an empty database of this name."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    finally:
        await connection.close()
    return in_database(dsn, name)
