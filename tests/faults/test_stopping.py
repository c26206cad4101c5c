"""SIGTERM while the shop is busy: a clean end within the grace time; a second one ends at once."""

from __future__ import annotations

import signal
import time

from tests.faults.deployment import Deployment, deployed, ended, eventually, health, shape

GRACE_SECONDS = 25.0


async def _left_behind(deployment: Deployment) -> list[str]:
    """Claims and effects that nobody works on any more."""
    claims = await deployment.rows("SELECT flow, key FROM outbox WHERE claim IS NOT NULL")
    effects = await deployment.rows("SELECT code, state FROM effect WHERE state = 'sent'")
    return [str(row) for row in claims + effects]


async def _busy(deployment: Deployment) -> None:
    """Until an import of the load is on its way."""
    since = await deployment.newest_import()
    await deployment.load()
    await eventually(deployment.newest_import, lambda newest: newest > since, 20, "the load is pushed")


async def test_it_leaves_nothing_behind(database_url: str) -> None:
    async with deployed(database_url, shape(), replicas=1) as deployment:
        await deployment.begin()
        await _busy(deployment)
        process = deployment.replicas[0].process
        process.terminate()
        assert await ended(process, GRACE_SECONDS) == 0
        assert await _left_behind(deployment) == []

        successor = await deployment.start()
        await deployment.lab.send_webhooks_to(successor)
        assert await deployment.calm() > 0
        await deployment.rest()
        await deployment.check()


async def test_it_waits_for_a_call_unless_told_twice(database_url: str) -> None:
    async with deployed(database_url, shape(), replicas=1) as deployment:
        await deployment.begin()
        replica = deployment.replicas[0]
        await deployment.faults(deployment.marketplace, {"code": "STO01", "kind": "hang_after"})
        await deployment.load()

        async def hangs() -> bool:
            return await deployment.fired(deployment.marketplace) == [1]

        await eventually(hangs, bool, 20, "a call hangs")
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
        assert await deployment.rows("SELECT code FROM effect WHERE state = 'sent'") == [{"code": "STO01"}]

        successor = await deployment.start()
        await deployment.lab.send_webhooks_to(successor)
        await deployment.taken_over()
        assert await deployment.calm() > 0
        await deployment.rest()
        assert [row["state"] for row in await deployment.imports() if row["effect"] == "unknown"] == ["unknown"]
        await deployment.check()


async def test_what_takes_longer_than_the_grace_time_is_cut_off(database_url: str) -> None:
    async with deployed(database_url, shape(), replicas=1, CENTRA_MIRAKL_DRAIN_SECONDS="1") as deployment:
        await deployment.begin()
        process = deployment.replicas[0].process
        await deployment.faults(deployment.marketplace, {"code": "STO01", "kind": "hang_after"})
        await deployment.load()

        async def hangs() -> bool:
            return await deployment.fired(deployment.marketplace) == [1]

        await eventually(hangs, bool, 20, "a call hangs")
        process.terminate()
        assert await ended(process, 6) == 0
        await deployment.start()
        assert await deployment.calm() > 0
        await deployment.rest()
        await deployment.check()
