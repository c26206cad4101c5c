"""One call for the questions of many tasks: who comes first waits a moment, then asks for all that came meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import anyio

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Batch:
    keys: list[Any] = field(default_factory=list)
    answers: Mapping[Any, Any] | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)


class Together:
    """Open batches of this process, by name."""

    def __init__(self) -> None:
        self._open: dict[str, _Batch] = {}

    async def ask(
        self,
        name: str,
        key: K,
        call: Callable[[list[K]], Awaitable[Mapping[K, V]]],
        *,
        seconds: float = 0.05,
        at_most: int = 100,
    ) -> V:
        """The answer for `key` out of one `call` for up to `at_most` keys that were asked within `seconds` (real).

        `call` answers every key it was given. What it raises reaches the task that made it; the others ask again.
        """
        while True:
            batch = self._open.get(name)
            if batch is None or len(batch.keys) >= at_most:
                return await self._lead(name, key, call, seconds)
            batch.keys.append(key)
            await batch.ended.wait()
            if batch.answers is not None:
                return cast(V, batch.answers[key])

    async def _lead(self, name: str, key: K, call: Callable[[list[K]], Awaitable[Mapping[K, V]]], seconds: float) -> V:
        batch = self._open[name] = _Batch([key])
        try:
            await anyio.sleep(seconds)
            if self._open.get(name) is batch:
                del self._open[name]
            answers = await call(list(dict.fromkeys(batch.keys)))
            batch.answers = answers
            return answers[key]
        finally:
            if self._open.get(name) is batch:
                del self._open[name]
            batch.ended.set()
