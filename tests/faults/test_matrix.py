"""Kill -9 of one of two replicas at each fail point of the stock path, while the shop is busy: the other finishes."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app import failpoints
from tests.faults.deployment import Deployment, deployed, ended, shape
from tests.faults.every import in_ci
from tests.postgres import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

STRIKE_SECONDS = 30.0
POINTS = [point for point in failpoints.ALL if point.startswith(("stock.", "import.", "events.", "sizes."))]
"""Those on the way of a stock figure; `test_orders_matrix.py` and `test_after_sale_matrix.py` have the others."""
IN_CI = {"events.stored", "stock.sent"}
"""Where a fact is stored and not told, and where the call that tells it has begun; the others run by command."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivor(databases: Databases) -> AsyncIterator[Deployment]:
    """A deployment of one replica on two channels; each test adds the one that is killed."""
    dsn = await databases.create(databases.template)
    async with deployed(dsn, shape(channels=("demo-fr", "demo-se")), replicas=1) as deployment:
        yield deployment
    await databases.drop(dsn)


@pytest.mark.parametrize("point", in_ci(POINTS, IN_CI))
async def test_the_other_replica_finishes(survivor: Deployment, point: str) -> None:
    await survivor.begin()
    victim = await survivor.start(f"{point}=kill", wait=False)
    await survivor.lab.send_webhooks_to(victim)  # so that it is the first to know
    await survivor.load()
    assert await ended(victim.process, STRIKE_SECONDS) == -signal.SIGKILL
    await survivor.lab.send_webhooks_to(survivor.replicas[0])  # as a load balancer would
    await survivor.taken_over()
    assert await survivor.calm() > 0
    await survivor.rest()
    await survivor.check()
