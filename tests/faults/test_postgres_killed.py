"""Postgres dies by kill -9 while the shop is busy and comes back; and one that is not there when a replica starts."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from app.store import embedded
from app.store.embedded import Server
from app.store.embedded_place import PORT, Place, postmaster_pid
from app.store.migrate import migrate
from tests.faults.deployment import POSTGRES, deployed, eventually, health, metric_of, shape
from tests.faults.every import by_command

pytestmark = pytest.mark.slow

RESUME_SECONDS = 10.0
WATCHED_SECONDS = 4.0


class OwnPostgres:
    """A server on a folder of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server: Server | None = None

    async def start(self) -> Server:
        self.server = await embedded.start(self._folder, options=POSTGRES)
        return self.server

    async def kill(self) -> None:
        """Kill -9 of the postmaster, under whatever it does."""
        assert self.server is not None
        assert self.server.process is not None
        number = postmaster_pid(self.server.place)
        assert number is not None
        os.kill(number, signal.SIGKILL)
        await asyncio.to_thread(self.server.process.wait)


@pytest_asyncio.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[OwnPostgres]:
    own = OwnPostgres(tmp_path / "postgres")
    await migrate((await own.start()).dsn)
    yield own
    if own.server is not None:
        await own.server.stop()


async def test_killed_under_load_and_started_again(postgres: OwnPostgres) -> None:
    assert postgres.server is not None
    async with deployed(postgres.server.dsn, shape(channels=("demo-fr", "demo-se"))) as deployment:
        await deployment.begin()
        await deployment.load()
        since = await deployment.newest_import()
        await eventually(deployment.newest_import, lambda newest: newest > since, 20, "the load is pushed")
        await postgres.kill()
        assert all(live for live, _ in [await health(replica) for replica in deployment.replicas])
        await postgres.start()
        began = time.monotonic()
        for replica in deployment.replicas:

            async def worked() -> float:
                return await metric_of(replica, "centra_mirakl_keys_settled_total")  # noqa: B023 - used in this turn

            before = await worked()
            await eventually(worked, lambda now: now > before, RESUME_SECONDS, "a replica works again")  # noqa: B023
        assert time.monotonic() - began < RESUME_SECONDS
        assert [await health(replica) for replica in deployment.replicas] == [(True, True)] * 2
        assert await deployment.calm() > 0
        await deployment.rest()
        await deployment.check()


@asynccontextmanager
async def _refusing(place: Place) -> AsyncIterator[list[float]]:
    """A socket where Postgres should be that hangs up on everybody; when each came."""
    arrivals: list[float] = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrivals.append(time.monotonic())
        writer.close()

    place.socket_folder.mkdir(mode=0o700)
    socket = place.socket_folder / f".s.PGSQL.{PORT}"
    async with await asyncio.start_unix_server(hang_up, socket):
        yield arrivals
    socket.unlink(missing_ok=True)


@by_command
async def test_not_there_at_the_start(postgres: OwnPostgres) -> None:
    assert postgres.server is not None
    async with deployed(postgres.server.dsn, shape(), replicas=0) as deployment:
        place = postgres.server.place
        await deployment.database.close()
        await postgres.server.stop()
        async with _refusing(place) as arrivals:
            replica = await deployment.start(wait=False)

            async def tried() -> float:
                assert replica.process.poll() is None, replica.log.read_text()
                return time.monotonic() - arrivals[0] if arrivals else 0.0

            await eventually(tried, lambda since: since > WATCHED_SECONDS, 30, "the replica has tried for a while")
            assert await health(replica) == (True, False)
            assert 2 <= len(arrivals) <= WATCHED_SECONDS + 1.5, arrivals
            assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(arrivals))
        await postgres.start()
        await deployment.lab.ready(replica, RESUME_SECONDS)

        async def differences() -> int:
            return sum(len(found) for found in (await deployment.lab.differences()).values())

        await eventually(differences, lambda count: count == 0, 40, "everything was pushed")
        await deployment.check_ceilings()
