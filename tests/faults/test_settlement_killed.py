"""Kill -9 behind a stored page of the transaction log, or a stored file: whoever comes next goes on from there."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import pytest

from app import failpoints
from app.store.marks import Mark
from app.store.readings import BackFill, write_back_fill
from tests.faults.deployment import Json, deployed, ended, eventually, shape
from tests.faults.every import by_command
from tests.postgres import Databases

pytestmark = [pytest.mark.slow, by_command]

FR = "demo-fr"
FAR = datetime(2100, 1, 1, tzinfo=UTC)
LATER = "start_at = 2100-01-01T00:00:00Z"
"""Nothing is read by page: what there is comes from files."""


@pytest.mark.parametrize("way", ["pages", "files"])
async def test_whoever_comes_next_goes_on_from_there(databases: Databases, way: str) -> None:
    dsn = await databases.create(databases.template)
    settings = LATER if way == "files" else ""
    of = shape(sizes=0, scale=300.0, orders="dry_run", settlement=settings, mirakl={"export_chunk": 1_500})
    async with deployed(dsn, of, replicas=0) as deployment:
        told: Json = {"lines": 4_500, "cycles": 2}
        made = await deployment.lab.ask(deployment.marketplace, "/_sandbox/money/history", told)
        if way == "files":
            async with deployment.database.work.acquire() as connection:
                await write_back_fill(connection, FR, BackFill(datetime(2020, 1, 1, tzinfo=UTC)))
            later = Mark(FR, "settlement", "TL02", due_at=FAR)  # the point is met behind a file, not behind a page
            await deployment.database.mark([Mark(FR, "settlement", "TL03"), later])
        victim = await deployment.start(f"{failpoints.LOG_STORED}=kill", wait=False)
        assert await ended(victim.process, 40.0) == -signal.SIGKILL
        [stored] = await deployment.rows("SELECT count(*) AS lines FROM transaction_line")
        assert 0 < int(str(stored["lines"])) <= int(str(made["lines"]))
        await deployment.start()

        async def lines() -> list[Json]:
            return await deployment.rows("SELECT count(*) AS lines FROM transaction_line")

        await eventually(lines, lambda found: found[0]["lines"] == made["lines"], 60.0, "all of the log is stored")

        await deployment.database.mark([Mark(FR, "settlement", "TL02")])

        async def unrest() -> list[Json]:
            return await deployment.rows(
                "SELECT key FROM outbox WHERE flow = 'matching' AND due_at <= app_now()"
                " OR flow IN ('matching', 'settlement') AND state = 'held'"
            )

        await eventually(unrest, lambda found: not found, 60.0, "all of it is matched")
        calls: Json = await deployment.lab.ask(deployment.marketplace, "/_sandbox/calls")
        assert calls["violations"] == []
        assert calls["calls"].get("TL03", 0) == (1 if way == "files" else 0)
    await databases.drop(dsn)
