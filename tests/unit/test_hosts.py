"""An address with several hosts: a host that refuses, is silent, or is a standby, is passed over for the next."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from app.commands.lab import free_port
from app.store.hosts import each_host, open_connection
from app.store.pool import connect

PATIENCE_SECONDS = 0.5


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("postgresql://me:pw@one:5433/db?sslmode=verify-full", ["postgresql://me:pw@one:5433/db?sslmode=verify-full"]),
        ("postgresql:///db?host=/a", ["postgresql:///db?host=/a"]),
        (
            "postgresql://me:p%2C@one:5433,two,[::1]:5434/db?target_session_attrs=read-write",
            [
                f"postgresql://me:p%2C@{place}/db?target_session_attrs=read-write"
                for place in ("one:5433", "two", "[::1]:5434")
            ],
        ),
        (
            "postgresql:///db?host=/a,two&port=5433,5434&user=me",
            [
                "postgresql:///db?host=%2Fa&user=me&port=5433",
                "postgresql:///db?host=two&user=me&port=5434",
            ],
        ),
        (
            "postgresql://me@/db?host=one,two&port=6000",
            ["postgresql://me@/db?host=one&port=6000", "postgresql://me@/db?host=two&port=6000"],
        ),
    ],
)
def test_one_address_for_each_host(dsn: str, found: list[str]) -> None:
    assert each_host(dsn) == found


@asynccontextmanager
async def _silent() -> AsyncIterator[int]:
    """The port of a host that takes connections and says nothing, as a router before a machine without power."""

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in held:
        writer.transport.abort()
    server.close()


def _behind(dsn: str, port: int) -> str:
    """The test's database as the second host, after one on this port."""
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    hosts = f"host=127.0.0.1,{query['host']}&port={port},{query['port']}"
    return f"postgresql://postgres@{parts.path}?{hosts}&target_session_attrs=read-write"


async def test_a_silent_host_does_not_use_up_the_time_of_the_next(database_url: str) -> None:
    async with _silent() as port:
        began = time.monotonic()
        connection = await open_connection(_behind(database_url, port), timeout=PATIENCE_SECONDS)
        assert PATIENCE_SECONDS <= time.monotonic() - began < PATIENCE_SECONDS + 5
        assert await connection.fetchval("SELECT NOT pg_is_in_recovery()")
        await connection.close()


async def test_the_pools_pass_over_a_host_that_refuses(database_url: str) -> None:
    async with connect(_behind(database_url, free_port()), work_size=1, desk_size=1) as database:
        assert await database.desk.fetchval("SELECT 1") == 1
        assert await database.work.fetchval("SELECT 1") == 1


async def test_what_the_last_host_said_is_told(database_url: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        await open_connection(f"postgresql://postgres@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/db")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await open_connection(_behind(database_url.replace(urlsplit(database_url).path, "/nowhere"), free_port()))
