"""Goal 5: a million changes of 50,000 SKUs while imports leave at an interval. Coalescing, order and flat memory.

A batch flow as `stock` is: a permit for each import, then the claims, then the newest values are read, and the lines go
to a function here that keeps the far side's books. As a process of its own: `python -m tests.benchmarks.coalescing DSN
CHANGES`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from typing import Any

import uvloop

from app.clock import monotonic
from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.worker import Worker
from app.store.marks import Mark
from app.store.outbox import Claim, Verdict
from app.store.pool import Transaction
from app.wire.permit import Charge, Permit, PermitWait
from tests.benchmarks.child import rss_mb
from tests.benchmarks.goals import Run
from tests.benchmarks.ours import FLOW, SCOPE, run_worker, services
from tests.benchmarks.processes import ROOT, say

SKUS = 50_000
CALL = 1000
INTERVAL_SECONDS = 5.0
SLICE = 5000
TRUTH = """
CREATE TABLE IF NOT EXISTS bench_truth (sku text PRIMARY KEY, value bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
TRUNCATE bench_truth;
INSERT INTO bench_truth (sku) SELECT 'SKU-' || g FROM generate_series(0, 49999) AS g
"""
CHANGE = """
UPDATE bench_truth AS b SET value = b.value + 1
FROM (SELECT t.sku FROM unnest($1::text[]) AS t (sku) OFFSET 0) AS s WHERE b.sku = ANY (ARRAY[s.sku])
"""


class FarSide:
    """What was sent: the value and version of each SKU, and how many lines went with each import."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[int, int]] = {}
        self.imports: list[int] = []
        self.backwards = 0
        self.rss_after: list[float] = []

    def take(self, lines: list[tuple[str, int, int]]) -> None:
        """An import of (SKU, version, value)."""
        for sku, version, value in lines:
            known = self.held.get(sku)
            self.backwards += known is not None and (version <= known[0] or value < known[1])
            self.held[sku] = (version, value)
        self.imports.append(len(lines))
        self.rss_after.append(rss_mb())


def _flow(far: FarSide) -> Flow:
    async def work(turn: Pass) -> Mapping[Claim, Verdict]:
        lines: list[tuple[str, int, int]] = []
        async with turn.services.database.work.acquire() as connection:
            for start in range(0, len(turn.claims), SLICE):
                part = {c.key: c.version for c in turn.claims[start : start + SLICE]}
                rows = await connection.fetch("SELECT sku, value FROM bench_truth WHERE sku = ANY ($1)", list(part))
                lines += [(row["sku"], part[row["sku"]], row["value"]) for row in rows]
        far.take(lines)
        return {}

    async def gate(parts: Services, scope: Scope) -> Permit | PermitWait:
        return await parts.permits.take(scope, [Charge("STO01")])

    return Flow(name=FLOW, team=Team.ECOMMERCE, scoped="channel", work=work, batch=SKUS, gate=gate)


async def _change(parts: Services, changes: int) -> float:
    """A million changes, each with its mark in the same transaction, as fast as they go; the seconds they took."""
    chance, began = random.Random(11), monotonic()
    turns = iter(range(changes // CALL))

    async def writer() -> None:
        for _ in turns:
            skus = sorted(f"SKU-{n}" for n in chance.sample(range(SKUS), CALL))

            async def steps(transaction: Transaction, skus: list[str] = skus) -> None:
                await transaction.connection.execute(CHANGE, skus)
                transaction.mark(Mark(SCOPE, FLOW, sku) for sku in skus)

            await parts.database.transact(steps)

    await asyncio.gather(writer(), writer())
    return monotonic() - began


async def _measure(dsn: str, changes: int) -> dict[str, Any]:
    far, stop = FarSide(), asyncio.Event()
    async with services(dsn) as parts:
        await parts.database.desk.execute(TRUTH)
        await parts.permits.open(SCOPE, {"STO01": (1.0, 1.0 / INTERVAL_SECONDS)})
        began = monotonic()
        working = asyncio.create_task(run_worker(Worker(_flow(far), SCOPE, parts), parts, stop))
        seconds = await _change(parts, changes)
        due = "SELECT count(*) FROM outbox WHERE due_at IS NOT NULL OR claim IS NOT NULL"
        while await parts.database.desk.fetchval(due):  # noqa: ASYNC110 - the database is asked, nobody tells
            await asyncio.sleep(0.1)
        took = monotonic() - began
        stop.set()
        await working
        truth = await parts.database.desk.fetch("SELECT sku, value FROM bench_truth WHERE value > 0")
    stale = sum(1 for row in truth if far.held.get(row["sku"], (0, -1))[1] != row["value"])
    return {
        "changes": changes,
        "skus changed": len(truth),
        "seconds to mark": round(seconds, 1),
        "seconds to the last import": round(took, 1),
        "imports": len(far.imports),
        "lines": sum(far.imports),
        "most lines of an import": max(far.imports),
        "stale at rest": stale,
        "versions backwards": far.backwards,
        "rss_mb_after_a_large_import": far.rss_after[_first_large(far.imports)],
        "rss_mb_at_end": far.rss_after[-1],
    }


def _first_large(imports: list[int]) -> int:
    """The first import that is at least nine tenths as large as the largest."""
    return next(n for n, lines in enumerate(imports) if lines >= 0.9 * max(imports))


async def goal_5(run: Run) -> dict[str, Any]:
    """A million changes of 50,000 SKUs: lines, order, memory; pushed to a function of the worker's process."""
    dsn = await run.install("ours")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.coalescing", dsn, str(run.less(1_000_000, 200_000)),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    ours: dict[str, Any] = json.loads(said)
    say(f"goal 5: {ours}")
    possible = (ours["seconds to the last import"] // INTERVAL_SECONDS + 2) * SKUS
    flat = ours["rss_mb_at_end"] - ours["rss_mb_after_a_large_import"] <= 5
    met = (
        ours["most lines of an import"] <= SKUS
        and ours["lines"] <= possible
        and ours["stale at rest"] == ours["versions backwards"] == 0
        and flat
    )
    return {
        "ours": ours,
        "rivals": dict.fromkeys(("pgqueuer", "procrastinate"), f"a call for each change: {ours['changes']}"),
        "ratio": round(ours["changes"] / ours["lines"], 1),
        "pushed to": "a function of the worker's process, an import each 5 s",
        "goal": "<= 50,000 lines for each import interval, newest values, no version backwards, memory flat",
        "met": met,
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_measure(sys.argv[1], int(sys.argv[2])))), flush=True)
