"""SIGTERM while calls are on their way: a clean end within the grace time; what is cut off has its row in the ledger,
and the next replica decides it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.faults.deployment import Deployment, Json, deployed, ended, eventually, health
from tests.faults.every import by_command
from tests.faults.orders import SKUS, begin, done, effects, judge, orders_shape, placed, record, stocked
from tests.postgres import Databases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

GRACE_SECONDS = 25.0
SLOW_SECONDS = 8.0
"""For which each call is without its whole answer; shorter than the grace time."""
BODY_BYTES = {"OR21": 1, "OR28": 250, "STO01": 50}
"""About how long the answers are, of which one byte arrives at a time; OR21's has no body and is late as a whole."""
STRIKE_SECONDS = 20.0
UNDECIDED = "SELECT code FROM effect WHERE state IN ('sent', 'unknown') ORDER BY code"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(databases: Databases) -> AsyncIterator[Deployment]:
    """One replica that takes orders and pays them back; each test stops it, and starts its successor."""
    dsn = await databases.create(databases.template)
    async with deployed(dsn, orders_shape(after_sale=""), replicas=1) as deployment:
        await stocked(deployment)
        yield deployment
    await databases.drop(dsn)


async def _succeeded(shop: Deployment, **environment: str) -> None:
    """Another replica in place of those that were there."""
    for replica in shop.replicas:
        await replica.stop()
    await shop.lab.send_webhooks_to(await shop.start(**environment))


async def _struck(shop: Deployment, *faults: Json) -> tuple[str, str]:
    """Until an OR21, an OR28 and an STO01 have met these faults; the order accepted, and the order paid back."""
    await begin(shop)
    (refunded,) = await placed(shop)
    await done(shop, [refunded])
    number = (await record(shop, refunded))["centra_number"]
    await shop.faults(shop.marketplace, *faults)
    await shop.lab.ask(shop.lab.centra, "/_sandbox/orders/cancel", {"number": number})
    (accepted,) = await placed(shop)
    await _restocked(shop, 7)

    async def fired() -> list[int]:
        return await shop.fired(shop.marketplace)

    await eventually(fired, lambda fired: fired == [1] * len(faults), STRIKE_SECONDS, "the calls are on their way")
    return accepted, refunded


async def _restocked(shop: Deployment, quantity: int) -> None:
    await shop.change({shop.skus(SKUS + 1)[-1]: quantity})


async def _each_once(shop: Deployment, accepted: str, refunded: str) -> None:
    """At rest: one order is accepted and released, each line of the other is paid back, and the stock is right."""
    await done(shop, [accepted])
    await judge(shop, [accepted])

    async def open_refunds() -> list[Json]:
        return await shop.rows("SELECT kind, state, reason FROM intent WHERE state <> 'done'")

    await eventually(open_refunds, lambda left: not left, STRIKE_SECONDS, "the refund is settled")
    entries: Any = (await shop.lab.ask(shop.marketplace, "/_sandbox/ledger?code=OR28"))["entries"]
    lines = sorted(entry["order_line_id"] for entry in entries if entry["order_id"] == refunded)
    assert lines == [f"{refunded}-1", f"{refunded}-2"]
    for order_id, code in ((accepted, "OR21"), (refunded, "OR28")):
        assert await effects(shop, order_id, code) == ["applied"], "sent once"
    await shop.rest()


@by_command
async def test_slow_calls_are_waited_for(shop: Deployment) -> None:
    seconds = {code: SLOW_SECONDS / length for code, length in BODY_BYTES.items()}
    await _succeeded(shop)
    ids = await _struck(shop, *({"code": code, "kind": "slow", "seconds": each} for code, each in seconds.items()))
    assert [row["code"] for row in await shop.rows(UNDECIDED)] == list(BODY_BYTES), "none has its answer yet"
    process = shop.replicas[-1].process
    process.terminate()
    assert await ended(process, GRACE_SECONDS) == 0
    assert await shop.rows(UNDECIDED) == []
    assert await shop.rows("SELECT flow, key FROM outbox WHERE claim IS NOT NULL") == []
    await _succeeded(shop)
    await _each_once(shop, *ids)


@by_command
async def test_what_takes_longer_than_the_grace_time_is_cut_off_and_decided(shop: Deployment) -> None:
    await _succeeded(shop, CENTRA_MIRAKL_DRAIN_SECONDS="1")
    ids = await _struck(shop, *({"code": code, "kind": "hang_after"} for code in BODY_BYTES))
    process = shop.replicas[-1].process
    process.terminate()
    assert await ended(process, 6) == 0
    cut = await shop.rows(UNDECIDED)
    assert [row["code"] for row in cut] == list(BODY_BYTES), "each has its row, and nobody knows how it ended"
    await _succeeded(shop)
    await shop.taken_over()
    await _each_once(shop, *ids)


@by_command
async def test_it_waits_for_a_call_unless_told_twice(shop: Deployment) -> None:
    await _succeeded(shop)
    await begin(shop)
    before = await shop.newest_import()
    replica = shop.replicas[-1]
    await shop.faults(shop.marketplace, {"code": "STO01", "kind": "hang_after"})
    await _restocked(shop, 8)

    async def hangs() -> bool:
        return await shop.fired(shop.marketplace) == [1]

    await eventually(hangs, bool, STRIKE_SECONDS, "a call hangs")
    replica.process.send_signal(signal.SIGTERM)

    async def draining() -> bool:
        return await health(replica) == (True, False)

    await eventually(draining, bool, 5, "it drains")
    assert replica.process.poll() is None, "the call has no answer yet"
    told_at = time.monotonic()
    replica.process.send_signal(signal.SIGTERM)
    assert await ended(replica.process, 5) >= 0
    assert time.monotonic() - told_at < 3
    # The call was cut off: its outcome is unknown, and nobody but the next owner can say so.
    assert await shop.rows("SELECT code FROM effect WHERE state = 'sent'") == [{"code": "STO01"}]

    await _succeeded(shop)
    await shop.taken_over()
    await shop.rest()
    unknown = [row for row in await shop.imports() if row["effect"] == "unknown" and row["id"] > before]
    assert [row["state"] for row in unknown] == ["unknown"]
    await shop.check_ceilings()
