"""Deployments that the tests of a module share; see `deployment.py`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.faults.deployment import Deployment, deployed, shape
from tests.postgres import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(databases: Databases) -> AsyncIterator[Deployment]:
    """Two replicas, one channel, at rest; full pushes are ten days apart, so that none corrects what others should."""
    dsn = await databases.create(databases.template)
    lines = {"demo-fr": "stock.full_push_seconds = 864000.0"}
    async with deployed(dsn, shape(channel_lines=lines)) as deployment:
        yield deployment
    await databases.drop(dsn)
