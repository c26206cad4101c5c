"""Three replicas share one database while the shop is busy: no ceiling exceeded, and both ends agree."""

from __future__ import annotations

import time

import pytest

from tests.faults.deployment import SCALE, deployed, eventually, metric_of, shape

BUSY_SECONDS = 12.0


@pytest.mark.slow
async def test_a_busy_spell(database_url: str) -> None:
    of = shape(channels=("demo-fr", "demo-se"), sizes=400)
    async with deployed(database_url, of, replicas=3) as deployment:
        await deployment.begin()
        await deployment.load(seconds=BUSY_SECONDS * SCALE)

        async def done() -> bool:
            return bool((await deployment.lab.ask(deployment.lab.centra, "/_sandbox/load"))["done"])

        began = time.monotonic()
        await eventually(done, bool, 2 * BUSY_SECONDS, "the load is over")
        assert time.monotonic() - began >= BUSY_SECONDS - 1
        await deployment.rest()
        await deployment.check()
        shares = [await metric_of(replica, "centra_mirakl_keys_settled_total") for replica in deployment.replicas]
        assert all(share > 0 for share in shares), f"each has worked: {shares}"
        assert sum([await metric_of(r, "centra_mirakl_claims_lost_total") for r in deployment.replicas]) == 0
