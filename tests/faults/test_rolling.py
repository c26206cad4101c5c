"""Three replicas on one database, replaced one by one as a Deployment does it, while the shop sells and restocks."""

from __future__ import annotations

import time

import pytest

from tests.faults.busy import busy, nothing_lost_or_doubled
from tests.faults.deployment import Deployment, deployed, ended, metric_of
from tests.faults.every import by_command
from tests.faults.orders import begin, orders_shape, stocked

REPLICAS = 3
GRACE_SECONDS = 25.0
START_SECONDS = 90.0  # of a replica beside two that work, on a machine that is busy with other things
LEASE = {"CENTRA_MIRAKL_LEASE_SECONDS": "30"}
"""As in production: nobody dies here, so no claim may be lost."""
SETTLED = "centra_mirakl_keys_settled_total"
LOST = "centra_mirakl_claims_lost_total"


async def _rolled(deployment: Deployment) -> None:
    """One replica after the other is told to stop and has a successor; Centra's webhooks go to one that stays."""
    for number, old in enumerate(deployment.replicas[:REPLICAS]):
        await deployment.lab.send_webhooks_to(deployment.replicas[number + 1])
        assert await metric_of(old, SETTLED) > 0, "it has had its share of the work"
        assert await metric_of(old, LOST) == 0
        told_at = time.monotonic()
        old.process.terminate()
        assert await ended(old.process, GRACE_SECONDS) == 0
        print(f"replica {number + 1} ended {time.monotonic() - told_at:.1f} s after SIGTERM")
        await deployment.lab.ready(await deployment.start(wait=False, **LEASE), START_SECONDS)


@by_command
@pytest.mark.timeout(300)
async def test_replicas_are_rolled_one_by_one(database_url: str) -> None:
    of = orders_shape()
    async with deployed(database_url, of, replicas=REPLICAS, **LEASE) as deployment:
        await stocked(deployment)
        await begin(deployment)
        async with busy(deployment) as ids:
            await _rolled(deployment)
        await nothing_lost_or_doubled(deployment, ids)
        assert await deployment.metric(LOST) == 0
