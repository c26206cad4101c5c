"""What the benchmark asks of every engine: ours and its rivals alike."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Seen = Callable[[int, int], None]
"""Called by the work itself: the stamp of an event in monotonic nanoseconds (0: none), and how many events."""


class Producer(Protocol):
    async def one(self, sku: int, stamp: int) -> None:
        """One event in a commit of its own."""
        ...

    async def many(self, skus: list[int]) -> None:
        """Several events in one call."""
        ...


class Engine(Protocol):
    """`consume` works until `stop` is set; whoever calls it counts what was seen."""

    async def install(self, dsn: str) -> None: ...

    def producer(self, dsn: str, connections: int) -> AbstractAsyncContextManager[Producer]: ...

    async def preload(self, dsn: str, count: int) -> None:
        """Make so many ready events on the server, as the engine would have stored them."""
        ...

    async def finish(self, dsn: str, count: int) -> None:
        """Leave behind what working so many events leaves behind, dead rows and all."""
        ...

    async def clear(self, dsn: str) -> None:
        """End what is left, row by row; dead rows stay."""
        ...

    async def consume(self, dsn: str, options: dict[str, Any], seen: Seen, stop: asyncio.Event) -> None: ...


ENGINES = {
    "ours": ("ours", "Engine"),
    "ours-lanes": ("ours", "Lanes"),
    "pgqueuer": ("rival_pgqueuer", "Engine"),
    "procrastinate": ("rival_procrastinate", "Engine"),
}


def load(name: str) -> Engine:
    """An engine by its name."""
    module, kind = ENGINES[name]
    found: Engine = getattr(importlib.import_module(f"tests.benchmarks.{module}"), kind)()
    return found
