"""Starting the consumers and producers of `child.py`, and what is said about their figures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def say(*words: object) -> None:
    """Progress, on standard error."""
    print(*words, file=sys.stderr, flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; infinite when there is none."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


@contextlib.asynccontextmanager
async def child(what: str, engine: str, dsn: str, **more: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that is ready and waits for its line."""
    options = [text for name, value in more.items() for text in (f"--{name}", _text(value))]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.child", what, "--engine", engine, "--dsn", dsn, *options,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        if line.strip() != b"ready":
            raise RuntimeError(f"the {what} of {engine} did not start: {line!r}")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


async def answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Let it go, and give what it said when it was done."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"go\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a child of the benchmark died")
    found: dict[str, Any] = json.loads(line)
    return found


async def consumed(engine: str, dsn: str, options: dict[str, Any], limit: int, seconds: float = 60) -> dict[str, Any]:
    """What one consumer process did with the backlog."""
    async with child("consume", engine, dsn, options=options, limit=limit, seconds=seconds) as process:
        return await answer(process)


def whole_rate(found: dict[str, Any]) -> float:
    """Events a second from the start signal, connecting and all, to the last one."""
    return float(found["events"] / ((found["last"] - found["began"]) / 1e9)) if found["events"] else 0.0


def steady_rate(found: dict[str, Any], first: int) -> float:
    """Events a second between the first call and the last; `first`: the events of the first call."""
    if found["events"] <= first:
        return whole_rate(found)
    return float((found["events"] - first) / max((found["last"] - found["first"]) / 1e9, 1e-9))


async def latencies(engine: str, dsn: str, options: dict[str, Any], rate: float, seconds: float) -> list[float]:
    """Milliseconds from the time a commit was due to the call of the work, while a producer keeps its rate."""
    async with (
        child("consume", engine, dsn, options=options, limit=int(rate * seconds), seconds=seconds + 10) as consumer,
        child("produce", engine, dsn, rate=rate, seconds=seconds) as producer,
    ):
        consuming = asyncio.create_task(answer(consumer))
        await asyncio.sleep(1.5)
        await answer(producer)
        found = await consuming
        return [float(each) for each in found["latencies"]]


async def timed(seconds: float, step: Callable[[], Awaitable[int]]) -> float:
    """Units a second of a step repeated for so long."""
    loop = asyncio.get_running_loop()
    began, done = loop.time(), 0
    while loop.time() < began + seconds:
        done += await step()
    return done / (loop.time() - began)
