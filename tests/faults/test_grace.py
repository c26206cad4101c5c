"""A replica ends in time, whatever hangs: also when its database keeps connections open and answers nothing more."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest_asyncio

from app.store import embedded
from app.store.embedded import Server
from app.store.embedded_place import Place, processes_in
from app.supervisor import END_SECONDS, LET_GO_SECONDS
from tests.faults.deployment import POSTGRES, deployed, ended, shape
from tests.faults.every import by_command

pytestmark = by_command
DRAIN_SECONDS = 2.0
CANCEL_SECONDS = 5.0
"""How long asyncpg itself tries to cancel a query at a server that does not answer. Only then it is more than the pod's
grace; what the kubelet would kill has let go of everything by then, and waits for nothing else."""
EXIT_SECONDS = 1.0


@pytest_asyncio.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[Server]:
    server = await embedded.start(tmp_path / "postgres", options=POSTGRES)
    yield server
    await server.stop()


@contextlib.contextmanager
def hanging(place: Place) -> Iterator[None]:
    """Every process of the server stands still: connections stay open, and nothing is answered."""
    stopped = processes_in(place)
    assert len(stopped) > 5
    for number in stopped:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in stopped:
            os.kill(number, signal.SIGCONT)


async def test_a_database_that_hangs_keeps_no_replica_from_its_end(postgres: Server) -> None:
    of = shape(channels=("demo-fr", "demo-se"))
    async with deployed(postgres.dsn, of, replicas=1, CENTRA_MIRAKL_DRAIN_SECONDS=str(DRAIN_SECONDS)) as deployment:
        process = deployment.replicas[0].process
        await deployment.load()
        with hanging(postgres.place):
            told_at = time.monotonic()
            process.terminate()
            assert await ended(process, 20) == 0
            took = time.monotonic() - told_at
        assert took < DRAIN_SECONDS + LET_GO_SECONDS + END_SECONDS + CANCEL_SECONDS + EXIT_SECONDS
        await deployment.calm()
