"""Goals 1 to 4 and 6 to 9: each engine in turn, round after round, and each ratio taken within its round.

The speed of a shared machine drifts by tens of percent within minutes; a ratio of two neighbours does not.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import psutil

from app.clock import monotonic
from app.store import lanes, outbox
from app.store.outbox import Head
from app.store.pool import connect
from tests.benchmarks.child import cpu_seconds
from tests.benchmarks.engine import load
from tests.benchmarks.ours import CHANNELS, FLOW, SCOPE
from tests.benchmarks.place import server_cpu_seconds
from tests.benchmarks.processes import (
    consumed,
    latencies,
    median,
    percentile,
    say,
    steady_rate,
    timed,
    whole_rate,
)

RIVALS = ("pgqueuer", "procrastinate")
SKUS = 50_000
BEST: Mapping[str, dict[str, Any]] = {
    "ours": {"batch": 5000},
    "ours-lanes": {"at_once": 2000, "lane_rank": 1},
    "pgqueuer": {"batch": 500},
    "procrastinate": {"concurrency": 50},
}
"""What each engine does best with, in one process (rivals as in performance.md, section 3.2)."""
QUICK: Mapping[str, dict[str, Any]] = {
    "ours": {"batch": 1000},
    "pgqueuer": {"batch": 10},
    "procrastinate": {"concurrency": 10},
}
"""What each answers soonest with."""
assert CHANNELS.channel[0].id == SCOPE


@dataclass(frozen=True)
class Run:
    """What a run works with: a database for each engine, and how thorough it is."""

    dsns: Mapping[str, str]
    rounds: int
    quick: bool
    postmaster: psutil.Process

    def server_cpu(self) -> float:
        return server_cpu_seconds(self.postmaster)

    def less(self, usual: int, quick: int) -> int:
        return quick if self.quick else usual

    async def install(self, engine: str) -> str:
        await load(engine).install(self.dsns[engine])
        return self.dsns[engine]


async def goal_1(run: Run) -> dict[str, Any]:
    """Marks: 16 writers with a commit for each, and 1,000 a call."""
    chance = random.Random(3)
    singles, calls = _Taken(), _Taken()
    seconds = run.less(3, 1)
    for number in range(run.rounds):
        for engine in ("ours", *RIVALS):
            dsn = await run.install(engine)
            async with load(engine).producer(dsn, 16) as producer:

                async def one(producer: Any = producer) -> int:
                    await producer.one(chance.randrange(SKUS), 0)
                    return 1

                async def many(producer: Any = producer) -> int:
                    await producer.many([chance.randrange(SKUS) for _ in range(1000)])
                    return 1000

                await asyncio.gather(*(one() for _ in range(16)))
                await _timed(run, engine, singles, seconds, [one] * 16)
                await _timed(run, engine, calls, seconds, [many])
            say(f"goal 1 round {number}: {engine} {singles.words(engine)}; {calls.words(engine)}")
    first, second = singles.summary("ours", "", 4), calls.summary("ours", "", 4)
    return {
        "16 writers": first,
        "1000 a call": second,
        "goal": ">= 4 x PgQueuer, both",
        "met": first["met"] and second["met"],
    }


async def _timed(
    run: Run, engine: str, taken: _Taken, seconds: float, steps: Sequence[Callable[[], Awaitable[int]]]
) -> None:
    here, server = cpu_seconds(), run.server_cpu()
    rate = sum(await asyncio.gather(*(timed(seconds, step) for step in steps)))
    taken.add(engine, rate, rate * seconds, cpu_seconds() - here, run.server_cpu() - server)


@dataclass
class _Taken:
    """Rates of each engine, and the CPU of each event in µs: in the process measured, and in the server."""

    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, engine: str, rate: float, events: float, here: float, server: float) -> None:
        self.rates.setdefault(engine, []).append(rate)
        self.cpu.setdefault(engine, []).append((here / events * 1e6, server / events * 1e6))

    def words(self, engine: str) -> str:
        here, server = self.cpu[engine][-1]
        return f"{self.rates[engine][-1]:.0f} a second, {here:.1f} + {server:.1f} µs of CPU each here and in the server"

    def summary(self, ours: str, other: str, least: float) -> dict[str, Any]:
        """Median figures, and the median of the ratios within each round; `other` is left out."""
        rates = {engine: values for engine, values in self.rates.items() if engine != other}
        by_round = {
            rival: [a / b for a, b in zip(rates[ours], values, strict=True)]
            for rival, values in rates.items()
            if rival != ours
        }
        ratios = {rival: round(median(values), 2) for rival, values in by_round.items()}
        figures = {engine: round(median(values)) for engine, values in rates.items()}
        return {
            "unit": "a second",
            "ours": figures.pop(ours),
            "rivals": figures,
            "ratios": ratios,
            "ratio_by_round": [round(value, 2) for value in by_round["pgqueuer"]],
            "µs of CPU each": {engine: self._cpu(engine) for engine in rates},
            "goal": f">= {least:g} x PgQueuer",
            "met": ratios["pgqueuer"] >= least,
        }

    def _cpu(self, engine: str) -> dict[str, float]:
        each = self.cpu[engine]
        return {"here": round(median([h for h, _ in each]), 1), "server": round(median([s for _, s in each]), 1)}


async def _consume(run: Run, engine: str, count: int, taken: _Taken) -> None:
    dsn = await run.install(engine)
    await load(engine).preload(dsn, count)
    server = run.server_cpu()
    found = await consumed(engine, dsn, BEST[engine], count, seconds=30)
    server = run.server_cpu() - server
    assert found["events"] == count or engine in RIVALS, found
    taken.add(engine, whole_rate(found), max(found["events"], 1), found["cpu"], server)
    say(f"consume: {engine} {taken.words(engine)}")


async def goals_2_and_3(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Claim and settle: a batch flow, and single keys with lanes; one process each, in the same rounds."""
    taken = _Taken()
    for _ in range(run.rounds):
        await _consume(run, "ours", run.less(300_000, 100_000), taken)
        await _consume(run, "pgqueuer", run.less(20_000, 10_000), taken)
        await _consume(run, "ours-lanes", run.less(80_000, 40_000), taken)
        await _consume(run, "procrastinate", run.less(1_200, 400), taken)
    return taken.summary("ours", "ours-lanes", 8), taken.summary("ours-lanes", "ours", 4)


async def goal_4(run: Run) -> dict[str, Any]:
    """From the time at which a mark was due, in another process, to the work: 200 a second."""
    taken: dict[str, list[tuple[float, float]]] = {}
    seconds = run.less(8, 3)
    for number in range(1 if run.quick else 3):
        for engine in ("ours", *RIVALS) if number == 0 and not run.quick else ("ours", "pgqueuer"):
            dsn = await run.install(engine)
            found = await latencies(engine, dsn, QUICK[engine], 200, seconds)
            assert len(found) >= 200 * seconds * 0.99 or engine in RIVALS, len(found)
            taken.setdefault(engine, []).append((percentile(found, 0.5), percentile(found, 0.99)))
            say(f"goal 4: {engine} p50 {taken[engine][-1][0]:.1f} ms, p99 {taken[engine][-1][1]:.1f} ms")
    figures = {
        engine: {"p50_ms": round(median([p for p, _ in each]), 2), "p99_ms": round(median([p for _, p in each]), 2)}
        for engine, each in taken.items()
    }
    ratio = median([a[1] / b[1] for a, b in zip(taken["ours"], taken["pgqueuer"], strict=True)])
    ours = figures.pop("ours")
    met = ours["p50_ms"] <= 6 and ours["p99_ms"] <= 15 and ratio <= 1.5
    goal = "p50 <= 6 ms, p99 <= 15 ms and <= 1.5 x PgQueuer's p99"
    return {"ours": ours, "rivals": figures, "p99_ratio": round(ratio, 2), "goal": goal, "met": met}


STEP = {"ours": 8_000, "pgqueuer": 8_000, "procrastinate": 800}
STEADY: Mapping[str, dict[str, Any]] = {
    "ours": {"batch": 1000},
    "pgqueuer": {"batch": 250},
    "procrastinate": {"concurrency": 10},
}
FIRST = {"ours": 1000, "pgqueuer": 250, "procrastinate": 1}


async def _steady(engine: str, dsn: str, times: int, refill: int = 0) -> float:
    """The median rate of working a step off whatever is due; refilled before each when asked to."""
    rates = []
    for _ in range(times):
        if refill:
            await load(engine).clear(dsn)
            await load(engine).preload(dsn, refill)
        found = await consumed(engine, dsn, STEADY[engine], STEP[engine], seconds=15)
        rates.append(steady_rate(found, FIRST[engine]))
    say(f"{engine}: {median(rates):.0f} a second")
    return median(rates)


async def goal_6(run: Run) -> dict[str, Any]:
    """The rate with 10,000 and with many due rows."""
    large = {"ours": 1_000_000, "pgqueuer": 1_000_000, "procrastinate": 100_000}
    out: dict[str, Any] = {}
    for engine in ("ours", "pgqueuer") if run.quick else ("ours", *RIVALS):
        count = large[engine] // run.less(1, 10)
        dsn = await run.install(engine)
        times = run.less(5, 2)
        small_rate = await _steady(engine, dsn, times, refill=10_000 if engine != "procrastinate" else 1_000)
        dsn = await run.install(engine)
        await load(engine).preload(dsn, count)
        large_rate = await _steady(engine, dsn, times)
        out[engine] = {
            "rows": count,
            "at 10k": round(small_rate),
            "at most": round(large_rate),
            "ratio": round(large_rate / small_rate, 3),
        }
        say(f"goal 6: {engine} {out[engine]}")
    ours = out.pop("ours")
    return {"ours": ours, "rivals": out, "goal": "rate >= 0.8", "met": ours["ratio"] >= 0.8}


async def goal_7(run: Run) -> dict[str, Any]:
    """The rate, and latency at 100 a second, while an old snapshot keeps finished work from being vacuumed."""
    finished = {"ours": 1_000_000, "pgqueuer": 1_000_000, "procrastinate": 100_000}
    out: dict[str, Any] = {}
    for engine in ("ours", "pgqueuer") if run.quick else ("ours", *RIVALS):
        count = finished[engine] // run.less(1, 10)
        backlog = 10_000 if engine != "procrastinate" else 1_000
        dsn = await run.install(engine)
        clean = await _steady(engine, dsn, run.less(3, 1), refill=backlog)
        holder = await asyncpg.connect(dsn)
        try:
            await load(engine).clear(dsn)
            await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await holder.fetchval("SELECT count(*) FROM pg_class")
            await load(engine).finish(dsn, count)
            held = await _steady(engine, dsn, run.less(3, 1), refill=backlog)
            await load(engine).clear(dsn)
            found = await latencies(engine, dsn, STEADY[engine], 100, 4)
        finally:
            await holder.close()
        out[engine] = {
            "finished rows": count,
            "clean": round(clean),
            "held": round(held),
            "ratio": round(held / clean, 3),
            "p50_ms": round(percentile(found, 0.5), 1),
            "p99_ms": round(percentile(found, 0.99), 1),
            "worked in time": len(found),
            "of": 400,
        }
        say(f"goal 7: {engine} {out[engine]}")
    ours = out.pop("ours")
    times = ours["held"] / max(out["pgqueuer"]["held"], 1)
    met = ours["ratio"] >= 0.6 and ours["p99_ms"] <= 100 and times >= 15
    goal = "rate >= 0.6 of clean, p99 <= 100 ms, >= 15 x PgQueuer in that state"
    return {"ours": ours, "rivals": out, "times_pgqueuer": round(times, 1), "goal": goal, "met": met}


async def goal_8(run: Run) -> dict[str, Any]:
    """Claims with a limit of 100 while the statistics say that the table is empty."""
    dsn = await run.install("ours-lanes")
    connection, holder = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    taken: list[int] = []
    took: list[float] = []
    try:
        await connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = off)")
        await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
        await connection.execute(
            "INSERT INTO outbox (scope, flow, key, due_at) SELECT $1, 'purged', g::text, now()"
            " FROM generate_series(1, 200000) AS g",
            SCOPE,
        )
        await connection.execute("DELETE FROM outbox")
        await connection.execute("VACUUM ANALYZE outbox")
        await connection.execute(
            "INSERT INTO outbox (scope, flow, key, lane, lane_rank, due_at, dirty_since)"
            " SELECT $1, f, g::text, g::text, 1, now() - g * interval '1 ms', now()"
            " FROM generate_series(1, 20000) AS g, unnest($2::text[]) AS f",
            SCOPE,
            [FLOW, "lanes"],
        )
        async with connect(dsn) as database:
            for kind in ("batch", "lanes"):
                head = Head()
                for number in range(101):
                    began = monotonic()
                    if kind == "batch":
                        async with database.work.acquire() as work:
                            claims = await outbox.claim(work, SCOPE, FLOW, 1, head, 100)
                    else:
                        claims = await lanes.claim_lanes(database, SCOPE, "lanes", 1, head, 100, rank=1)
                    if number:  # the first one prepares its statements
                        took.append((monotonic() - began) * 1000)
                        taken.append(len(claims))
    finally:
        await holder.close()
        await connection.execute("ALTER TABLE outbox RESET (autovacuum_enabled)")
        await connection.close()
    ours = {
        "claims": len(taken),
        "most taken": max(taken),
        "p50_ms": round(median(took), 2),
        "p99_ms": round(percentile(took, 0.99), 2),
        "over 20 ms": sum(1 for each in took if each > 20),
    }
    met = max(taken) <= 100 and ours["over 20 ms"] == 0
    rivals = {"pgqueuer": "locks inside a CTE: safe by its text", "procrastinate": "takes one job at a time"}
    return {"ours": ours, "rivals": rivals, "goal": "never over its limit of 100, none over 20 ms", "met": met}


async def goal_9(run: Run) -> dict[str, Any]:
    """Peak memory of a replica's process, with all that the service imports, at few and at many due rows."""
    out: dict[str, Any] = {}
    for engine in ("ours",) if run.quick else ("ours", *RIVALS):
        few: dict[str, Any] = {}
        many: dict[str, Any] = {}
        count = 1_000_000 if engine == "ours" and not run.quick else 100_000
        for found, rows in ((few, 10_000), (many, count)):
            dsn = await run.install(engine)
            await load(engine).preload(dsn, rows)
            worked = 10_000 if engine != "procrastinate" else 800
            found |= await consumed(engine, dsn, STEADY[engine], worked, seconds=30)
        out[engine] = {"rows": count, "at 10k": few["rss_mb"], "at most": many["rss_mb"]}
        say(f"goal 9: {engine} {out[engine]}")
    ours = out.pop("ours")
    met = ours["at most"] <= 128 and ours["at most"] - ours["at 10k"] <= 5
    goal = "<= 128 MiB at the most rows, <= 5 MiB above that at 10,000"
    return {"unit": "MiB", "ours": ours, "rivals": out, "goal": goal, "met": met, "python": sys.version.split()[0]}
