"""A consumer or a producer in a process of its own, so that its CPU and memory are its own.

It says `ready`, waits for a line on stdin, works, and prints one line of JSON. Started by `goals.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import time
from collections.abc import Coroutine
from typing import Any

import uvloop

from tests.benchmarks.engine import load

SKUS = 50_000


def rss_mb() -> float:
    """The most memory that this process ever had, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _go() -> None:
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def consume(engine: str, dsn: str, options: dict[str, Any], limit: int, seconds: float) -> dict[str, Any]:
    """Work until `limit` events were seen, or so many seconds have passed."""
    if engine.startswith("ours"):
        import app.supervisor  # noqa: F401 - a replica has all clients, metrics and tracing in memory
    found, stop = load(engine), asyncio.Event()
    latencies: list[float] = []
    first = last = events = 0

    def seen(stamp: int, count: int) -> None:
        nonlocal first, last, events
        last = time.monotonic_ns()
        first = first or last
        events += count
        if stamp:
            latencies.append((last - stamp) / 1e6)
        if events >= limit:
            stop.set()

    await _go()
    began, cpu = time.monotonic_ns(), cpu_seconds()
    working = asyncio.create_task(found.consume(dsn, options, seen, stop))
    await asyncio.wait({working}, timeout=seconds)
    stop.set()
    await asyncio.wait({working}, timeout=15)
    if working.done():
        working.result()
    return {
        "began": began,
        "first": first,
        "last": last,
        "events": events,
        "cpu": cpu_seconds() - cpu,
        "rss_mb": rss_mb(),
        "latencies": latencies,
    }


async def produce(engine: str, dsn: str, rate: float, seconds: float) -> dict[str, Any]:
    """Open loop: single commits at a fixed rate, each stamped with the time at which it was due."""
    chance = random.Random(7)
    async with load(engine).producer(dsn, 1) as producer:
        await producer.one(0, 0)  # the first call pays for preparing
        await _go()
        began = time.monotonic_ns() + 50_000_000
        count = int(rate * seconds)
        for n in range(count):
            due = began + int(n * 1e9 / rate)
            wait = (due - time.monotonic_ns()) / 1e9
            if wait > 0:
                await asyncio.sleep(wait)
            await producer.one(chance.randrange(SKUS), due)
    return {"sent": count}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["consume", "produce"])
    parser.add_argument("--engine", required=True)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--limit", type=int, default=sys.maxsize)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args()


def main() -> None:
    told = _arguments()
    job: Coroutine[Any, Any, dict[str, Any]] = (
        consume(told.engine, told.dsn, told.options, told.limit, told.seconds)
        if told.what == "consume"
        else produce(told.engine, told.dsn, told.rate, told.seconds)
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(job)), flush=True)
    sys.stdout.flush()
    os._exit(0)  # no engine's farewell is part of its figures


if __name__ == "__main__":
    main()
