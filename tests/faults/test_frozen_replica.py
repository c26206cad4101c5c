"""A replica frozen past its lease and woken: the other has taken over, and what it still writes matches nothing."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from tests.faults.deployment import deployed, eventually, frozen, metric_of, shape
from tests.faults.every import by_command

LOST = "centra_mirakl_claims_lost_total"
# What is frozen in the middle of a transaction holds its locks until Postgres ends it, after a minute.
REST_SECONDS = 75.0


@by_command
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("point", "states"),
    [
        ("stock.sent", ("unknown", "not_sent")),
        ("stock.posted", ("unknown", "done")),
    ],
)
async def test_the_other_takes_over_and_the_late_settle_matches_nothing(
    database_url: str, point: str, states: tuple[str, str]
) -> None:
    async with deployed(database_url, shape(), replicas=1) as deployment:
        await deployment.begin()
        other = deployment.replicas[0]
        sleeper = await deployment.start(f"{point}=stop", wait=False)
        await deployment.lab.send_webhooks_to(sleeper)
        await deployment.lab.ready(sleeper)
        figures = iter(range(50, 1000))

        async def strikes() -> bool:
            await deployment.change({sku: next(figures) for sku in deployment.skus(10)})
            with contextlib.suppress(AssertionError):
                await frozen(sleeper.process, 2)
                return True
            return False

        await eventually(strikes, bool, 30, "the replica is frozen")  # it shares the work with the other
        await deployment.lab.send_webhooks_to(other)
        await deployment.load()
        (doubtful,) = await deployment.rows("SELECT id FROM import WHERE state = 'sent'")

        async def state() -> str:
            (row,) = await deployment.rows("SELECT state FROM import WHERE id = $1", doubtful["id"])
            return str(row["state"])

        await eventually(state, lambda state: state == states[0], REST_SECONDS, "the import is in doubt")
        await deployment.taken_over(REST_SECONDS)
        assert await deployment.calm() > 0
        await deployment.rest(REST_SECONDS)
        newest = await deployment.newest_import()

        os.kill(sleeper.process.pid, signal.SIGCONT)

        async def lost() -> float:
            return await metric_of(sleeper, LOST, flow="stock")

        await eventually(lost, lambda lost: lost > 0, 20, "the woken replica learns that its claims are lost")
        await eventually(state, lambda state: state == states[1], 20, "the import ends")
        if point == "stock.posted":  # a file of its own may have been applied
            await eventually(deployment.newest_import, lambda now: now > newest, 20, "its keys are pushed again")
        await deployment.rest(REST_SECONDS)
        await deployment.check()
