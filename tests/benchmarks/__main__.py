"""python -m tests.benchmarks [--goal N ...] [--quick]: our engine beside its rivals, as JSON on stdout."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    import uvloop

    from tests.benchmarks import coalescing, goals
except ImportError as error:
    sys.exit(
        f"{error}; the rivals are in a dependency group of their own: uv run --group bench python -m tests.benchmarks"
    )

from tests.benchmarks.place import SETTINGS, fresh_database, postmaster, server
from tests.benchmarks.processes import say

TITLES = {
    1: "mark: 16 writers, and 1,000 a call",
    2: "claim and settle, batch flow",
    3: "claim and settle, single keys with lanes",
    4: "mark to worker at 200 a second",
    5: "1,000,000 changes of 50,000 SKUs",
    6: "10,000 to 1,000,000 due rows",
    7: "an old snapshot with 1,000,000 finished rows behind it",
    8: "claims with stale statistics",
    9: "peak memory of a replica",
}


async def measure(wanted: list[int], quick: bool) -> dict[str, Any]:
    """Every goal asked for, on one server."""
    found: dict[int, dict[str, Any]] = {}
    async with server() as dsn:
        engines = ("ours", "ours-lanes", "pgqueuer", "procrastinate")
        dsns = {engine: await fresh_database(dsn, "bench_" + engine.replace("-", "_")) for engine in engines}
        run = goals.Run(dsns, rounds=1 if quick else 3, quick=quick, postmaster=await postmaster(dsn))
        for number in wanted:
            if number in found:
                continue
            began = time.perf_counter()
            if number in (2, 3):
                both = await goals.goals_2_and_3(run)
                found |= {n: result for n, result in zip((2, 3), both, strict=True) if n in wanted}
            elif number == 5:
                found[5] = await coalescing.goal_5(run)
            else:
                found[number] = await getattr(goals, f"goal_{number}")(run)
            say(f"goal {number}: {time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    return {str(n): {"title": TITLES[n]} | found[n] for n in sorted(found)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--goal", type=int, action="append", choices=sorted(TITLES), help="only this one; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test, no figures to quote")
    told = parser.parse_args()
    began, load_before = time.perf_counter(), os.getloadavg()[0]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(measure(sorted(set(told.goal or TITLES)), told.quick))
    report = {
        "quick": told.quick,
        "seconds": round(time.perf_counter() - began),
        "load": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: _version(name) for name in ("pgqueuer", "procrastinate", "asyncpg", "psycopg", "uvloop")},
        "postgres": SETTINGS,
        "goals": results,
        "met": [int(n) for n, result in results.items() if result["met"]],
        "missed": [int(n) for n, result in results.items() if not result["met"]],
    }
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
