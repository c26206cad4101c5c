"""Kill -9 of one of two replicas at each fail point from reading an order to its last effect: the other finishes."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import anyio
import pytest
import pytest_asyncio

from app import failpoints
from tests.faults.deployment import Deployment, deployed
from tests.faults.every import by_command
from tests.faults.orders import Path, begin, done, judge, orders_shape, placed, stocked
from tests.postgres import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

STRIKE_SECONDS = 30.0
BETWEEN_ORDERS_SECONDS = 0.4
POINTS = [point for point in failpoints.ALL if point.startswith(("orders.", "order.", "entry."))]
IN_CI = {
    (Path.A, "order.accept_sent"),
    (Path.A, "entry.create_sent"),
    (Path.A, "entry.create_answered"),
    (Path.B, "order.accepted"),
}
"""Around the calls that must not be made twice, and where path B differs; the others run by command."""
CASES = [
    pytest.param(path, point, id=f"{path.name}-{point}", marks=() if (path, point) in IN_CI else by_command)
    for path in Path
    for point in POINTS
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivor(databases: Databases) -> AsyncIterator[Deployment]:
    """A deployment of one replica; each test adds the replica that is killed."""
    dsn = await databases.create(databases.template)
    async with deployed(dsn, orders_shape(), replicas=1) as deployment:
        await stocked(deployment)
        yield deployment
    await databases.drop(dsn)


@pytest.mark.parametrize(("path", "point"), CASES)
async def test_the_other_replica_finishes(survivor: Deployment, path: Path, point: str) -> None:
    await begin(survivor, path)
    victim = await survivor.start(f"{point}=kill", wait=False)
    ids: list[str] = []
    with anyio.fail_after(STRIKE_SECONDS):
        while victim.process.poll() is None:
            ids += await placed(survivor)
            await anyio.sleep(BETWEEN_ORDERS_SECONDS)
    assert victim.process.returncode == -signal.SIGKILL
    await done(survivor, ids)
    await judge(survivor, ids)
