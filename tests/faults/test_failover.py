"""The primary dies by kill -9 while the shop sells and restocks; its synchronous standby is promoted and the service,
told of both hosts, goes on: what was committed is there, and nothing is done twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
import pytest_asyncio

from app.store.embedded_binaries import environment, find_binaries, run_as
from app.store.embedded_place import PORT, Place, place_for, processes_in
from app.store.migrate import migrate
from app.store.pool import connect
from tests.faults.busy import busy, nothing_lost_or_doubled
from tests.faults.deployment import Deployment, deployed, eventually, health, metric_of
from tests.faults.every import by_command
from tests.faults.orders import begin, orders_shape, stocked
from tests.faults.test_postgres_killed import OwnPostgres

BUSY_SECONDS = 60.0
RESUME_SECONDS = 150.0
SLOW_SCALE = 20.0
"""So that the marketplace's hour to accept an order is longer than the minute for which a server hangs."""
SETTLED = "centra_mirakl_keys_settled_total"
RELEASED = "SELECT order_id FROM marketplace_order WHERE outcome = 'released'"
RECORDED = """
SELECT 'effect ' || id || ' ' || state AS found FROM effect WHERE state NOT IN ('sent', 'unknown')
UNION ALL SELECT 'order ' || order_id FROM marketplace_order
UNION ALL SELECT 'import ' || id FROM import
"""


Strike: TypeAlias = Callable[[OwnPostgres], Awaitable[None]]


@dataclass(slots=True)
class Pair:
    primary: OwnPostgres
    standby_dsn: str
    dsn: str


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """A migrated primary whose commits wait for its standby, and the address of both."""
    primary, standby = OwnPostgres(tmp_path / "one"), OwnPostgres(tmp_path / "two")
    first = await primary.start()
    await migrate(first.dsn)
    place = place_for(tmp_path / "two")
    _copy(first.place, place)
    second = await standby.start()
    connection = await asyncpg.connect(first.dsn)
    await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await connection.execute("SELECT pg_reload_conf()")

    async def replication() -> object:
        return await connection.fetchval("SELECT sync_state FROM pg_stat_replication")

    await eventually(replication, lambda state: state == "sync", 20, "the standby is synchronous")
    await connection.close()
    hosts = f"host={first.place.socket_folder},{place.socket_folder}&port={PORT}"
    yield Pair(primary, second.dsn, f"postgresql://postgres@/postgres?{hosts}&target_session_attrs=read-write")
    for own in (standby, primary):
        if own.server is not None:
            for number in processes_in(own.server.place):
                os.kill(number, signal.SIGCONT)
            await own.server.stop()


def _copy(primary: Place, standby: Place) -> None:
    """A standby's cluster, as pg_basebackup makes it, where the launcher looks for one."""
    standby.folder.mkdir(mode=0o700)
    standby.lock.touch(mode=0o600)
    binaries = find_binaries()
    way, _ = run_as(binaries, standby.folder)
    command = [*way.prefix, str(binaries / "pg_basebackup"), "-h", str(primary.socket_folder), "-p", str(PORT)]
    command += ["-U", "postgres", "-D", str(standby.cluster), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    subprocess.run(command, check=True, cwd=standby.folder, env=environment())


async def _hang(primary: OwnPostgres) -> None:
    """It says nothing any more and closes nothing, as a machine without power or network."""
    assert primary.server is not None
    for number in processes_in(primary.server.place):
        os.kill(number, signal.SIGSTOP)


@by_command
@pytest.mark.timeout(600)
@pytest.mark.parametrize("strike", [pytest.param(OwnPostgres.kill, id="killed"), pytest.param(_hang, id="hangs")])
async def test_the_primary_is_gone_and_its_standby_is_promoted(pair: Pair, strike: Strike) -> None:
    async with deployed(pair.dsn, orders_shape(scale=SLOW_SCALE)) as deployment, connect(pair.standby_dsn) as promoted:
        await stocked(deployment)
        await begin(deployment)
        async with busy(deployment) as ids:
            await eventually(
                lambda: deployment.rows(RELEASED), lambda rows: len(rows) > 3, BUSY_SECONDS, "orders go through"
            )
            recorded = {row["found"] for row in await deployment.rows(RECORDED)}
            await strike(pair.primary)
            died_at = time.monotonic()
            assert all(live for live, _ in [await health(replica) for replica in deployment.replicas])
            assert await promoted.desk.fetchval("SELECT pg_promote()")
            promoted_at = time.monotonic()
            await _until_settled(deployment, [figure + 1 for figure in await _settled(deployment)])
            works_at = time.monotonic()
        print(f"promoted after {promoted_at - died_at:.1f} s, every replica works {works_at - promoted_at:.1f} s later")
        before, deployment.database = deployment.database, promoted  # the judge must not wait for a server that hangs
        lost = recorded - {row["found"] for row in await deployment.rows(RECORDED)}
        assert not lost, "committed, and gone"
        assert [await health(replica) for replica in deployment.replicas] == [(True, True)] * 2
        await nothing_lost_or_doubled(deployment, ids)
        print(f"{len(ids)} orders, {len(recorded)} rows recorded before: 0 lost, 0 doubled")
        before.work.terminate()
        before.desk.terminate()


async def _settled(deployment: Deployment) -> list[float]:
    return [await metric_of(replica, SETTLED) for replica in deployment.replicas]


async def _until_settled(deployment: Deployment, figures: list[float]) -> None:
    async def settled() -> list[float]:
        return await _settled(deployment)

    await eventually(
        settled,
        lambda found: all(now >= due for now, due in zip(found, figures, strict=True)),
        RESUME_SECONDS,
        f"each replica has settled {figures} keys",
    )
