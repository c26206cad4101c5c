"""A slow answer of Centra is overtaken by a quick one that began later, and yet knows more: nothing is lost."""

from __future__ import annotations

import pytest

from app.store.marks import Mark
from tests.faults.deployment import Deployment, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_event_that_came_with_an_overtaken_answer(pair: Deployment) -> None:
    await pair.begin()
    sku = pair.skus(1)[0]
    await pair.lab.ask(pair.lab.centra, "/_sandbox/webhooks", {"url": None})  # they are only hints, and may be lost
    await pair.faults(pair.lab.centra, {"code": "StockEvents", "kind": "slow_pages", "seconds": 2.2})
    await pair.change({sku: 60})

    async def asked() -> bool:
        return await pair.fired(pair.lab.centra) == [1]

    await eventually(asked, bool, 10, "the events are asked for")
    (size,) = await pair.rows("SELECT size_id, read_at FROM size WHERE sku = $1", sku)
    await pair.database.mark([Mark("centra", "sizes", str(size["size_id"]))])

    async def read_again() -> bool:
        (now,) = await pair.rows("SELECT read_at FROM size WHERE sku = $1", sku)
        return bool(now["read_at"] > size["read_at"])

    await eventually(read_again, bool, 3, "the size is read by its id")
    await pair.change({sku: 70})  # the slow answer will tell of it
    await pair.rest()
    await pair.check()
    await pair.lab.send_webhooks_to(pair.replicas[0])
