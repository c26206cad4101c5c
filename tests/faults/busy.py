"""A shop that sells and restocks while something is done to the service, and what must hold of both afterwards.

The first SKUs are sold, the others change in stock, so that each judge knows its own figures.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tests.faults.deployment import Deployment, went_back
from tests.faults.orders import SKUS, done, judge, placed

TURN_SECONDS = 0.5
CHANGED_SKUS = 10
TURNS_AN_ORDER = 2


@asynccontextmanager
async def busy(deployment: Deployment) -> AsyncIterator[list[str]]:
    """While the block lasts, stock changes all the time and an order comes every second; gives the orders' ids."""
    ids: list[str] = []
    changing = itertools.cycle(deployment.skus(1_000_000)[SKUS:])

    async def trade() -> None:
        for turn in itertools.count(1):
            await deployment.change(dict.fromkeys(itertools.islice(changing, CHANGED_SKUS), turn % 97))
            if turn % TURNS_AN_ORDER == 0:
                ids.extend(await placed(deployment))
            await anyio.sleep(TURN_SECONDS)

    async with anyio.create_task_group() as group:
        group.start_soon(trade)
        yield ids
        group.cancel_scope.cancel()


async def nothing_lost_or_doubled(deployment: Deployment, ids: list[str]) -> None:
    """At rest: each order is placed, accepted and released once, and no quantity is wrong, stale or went back."""
    assert ids
    await done(deployment, ids)
    await judge(deployment, ids)
    sold = set(deployment.skus(SKUS))
    history = await deployment.history()
    for channel in deployment.lab.mirakl:
        applied = [entry for entry in await deployment.applied(channel) if entry["sku"] not in sold]
        assert applied
        assert not went_back(applied, history), f"stale values at {channel}"
