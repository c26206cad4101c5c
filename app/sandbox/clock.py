"""The sandbox's own time: one clock for the process, faster than real time if wished, movable by hand.

Everything the stand-ins decide by time (ceilings, imports, deadlines) asks this clock, never the system: a
one-minute ceiling takes ten real seconds at scale 6 and none at all when a test advances the clock.

Work that is due later is given to `Clock.at`. It runs when its time has come, in the order of the due times,
and sees its own due time as `now()`, however far the clock was advanced in one step. It runs from the clock's
pump (real time passes) or from `run_due`, which the fault middleware awaits before every request: whoever
looks sees all that is due. Jobs must be brief; one that waits on the network uses `Clock.spawn`.
"""

import asyncio
import contextlib
import heapq
import inspect
import itertools
import logging
import time
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from typing import Any

_log = logging.getLogger("app.sandbox")
_as_of: ContextVar[float | None] = ContextVar("sandbox_as_of", default=None)


class Clock:
    """App time. `timestamp()` is Unix seconds of app time, `now()` the same as an aware UTC datetime."""

    def __init__(self, *, scale: float = 1.0, start_at: datetime | None = None) -> None:
        """`scale`: app seconds per real second, above 0. `start_at`: first app time, else the real one."""
        self._scale = _positive(scale)
        self._base_app = start_at.timestamp() if start_at else time.time()
        self._base_real = time.monotonic()
        self._jobs: list[tuple[float, int, Callable[[], object]]] = []
        self._sequence = itertools.count()
        self._running = asyncio.Lock()
        self._moved = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pump_task: asyncio.Task[None] | None = None

    @property
    def scale(self) -> float:
        return self._scale

    def timestamp(self) -> float:
        """App time in Unix seconds; inside a job its due time."""
        as_of = _as_of.get()
        return self._running_timestamp() if as_of is None else as_of

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def real(self) -> float:
        """Real Unix seconds, for logs that are compared with another process's records."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Moves app time forward. Await `run_due` afterwards to have everything that fell due happen."""
        if seconds < 0:
            raise ValueError("the clock does not go back")
        self._base_app += seconds
        self._moved.set()

    def set_scale(self, scale: float) -> None:
        app = self._running_timestamp()
        self._scale = _positive(scale)
        self._base_app, self._base_real = app, time.monotonic()
        self._moved.set()

    def at(self, timestamp: float, job: Callable[[], object]) -> None:
        """Runs `job` (plain or async, no arguments) at an app time; a past one means as soon as possible."""
        heapq.heappush(self._jobs, (timestamp, next(self._sequence), job))
        self._moved.set()
        if self._pump_task is None or self._pump_task.done():
            self._pump_task = self.spawn(self._pump())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task in running time, apart from the request or job that starts it. Errors are logged."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a task of the sandbox clock failed", exc_info=task.exception())

    async def run_due(self) -> None:
        """Runs every job that is due, oldest first. Within a job this does nothing: it is running already."""
        if _as_of.get() is not None:
            return
        async with self._running:
            while self._jobs and self._jobs[0][0] <= self._running_timestamp():
                due_at, _, job = heapq.heappop(self._jobs)
                token = _as_of.set(due_at)
                try:
                    outcome = job()
                    if inspect.isawaitable(outcome):
                        await outcome
                except Exception:
                    _log.exception("a job of the sandbox clock failed")
                finally:
                    _as_of.reset(token)

    async def _pump(self) -> None:
        while self._jobs:
            self._moved.clear()
            wait_seconds = (self._jobs[0][0] - self._running_timestamp()) / self._scale
            if wait_seconds > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._moved.wait(), min(wait_seconds, 3600.0))
            await self.run_due()

    def _running_timestamp(self) -> float:
        return self._base_app + (time.monotonic() - self._base_real) * self._scale


def iso(timestamp: float) -> str:
    """Unix seconds as ISO 8601 in UTC with `Z`, in milliseconds; they are dropped when zero."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    text = moment.isoformat(timespec="milliseconds").removesuffix("+00:00")
    return text.removesuffix(".000") + "Z"


def _positive(scale: float) -> float:
    if not 0 < scale <= 1_000_000:
        raise ValueError("the clock's scale must be above 0")
    return float(scale)
