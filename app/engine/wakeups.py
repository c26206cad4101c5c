"""Who wakes a worker: a mark made in this process, a notice from another replica, or the scout that looks."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import anyio

from app.clock import monotonic
from app.store.hosts import Address
from app.store.marks import Mark
from app.store.notices import listen, notify
from app.store.outbox import BEGINNING, Head, look
from app.store.pool import DATABASE_AWAY, Database

NOTICE_SECONDS = 0.05
NEAR_SECONDS = 0.1
FULL_SECONDS = 5.0
FULL_SECONDS_WHEN_LARGE = 60.0
FULL_SHARE = 100.0
"""A look at everything is repeated after so many times as long as it took, within the two bounds: one slow look on a
busy machine must not keep a dead replica's keys waiting for a minute."""
WINDOW_SECONDS = 5.0
SHARE = 20.0
"""The scout rests so many times as long as a look took."""

Place = tuple[str, str]


class Wakeups:
    """One event for each (scope, flow) worked here, and the notices due to other replicas."""

    def __init__(self) -> None:
        self._events: dict[Place, anyio.Event] = {}
        self._to_tell: set[Place] = set()
        self._something_to_tell = anyio.Event()
        self.heads: dict[Place, Head] = defaultdict(Head)

    def marked(self, marks: Iterable[Mark]) -> None:
        """Marks were committed here: wake their workers, and tell the others soon."""
        for place in {(m.scope, m.flow) for m in marks if m.due_at is None}:
            self.wake(*place)
            self._to_tell.add(place)
            self._something_to_tell.set()

    def wake(self, scope: str, flow: str) -> None:
        """There may be work for this flow."""
        event = self._events.get((scope, flow))
        if event is not None:
            event.set()

    def wake_all(self) -> None:
        """There may be work for everybody, or it is time to stop."""
        for event in self._events.values():
            event.set()

    async def wait(self, scope: str, flow: str, seconds: float) -> None:
        """Until woken, at most so long in real time."""
        event = self._events.setdefault((scope, flow), anyio.Event())
        with anyio.move_on_after(seconds):
            await event.wait()
        if event.is_set() and self._events[scope, flow] is event:  # others may still wait for it
            self._events[scope, flow] = anyio.Event()

    async def tell(self, database: Database) -> None:
        """Send the gathered notices, at most every 50 ms; for ever."""
        while True:
            await self._something_to_tell.wait()
            self._something_to_tell = anyio.Event()
            places, self._to_tell = self._to_tell, set()
            with contextlib.suppress(*DATABASE_AWAY):  # only a wish; the scouts find the keys
                await notify(database, places)
            await anyio.sleep(NOTICE_SECONDS)

    async def hear(self, address: Address) -> None:
        """Wake workers at other replicas' notices; for ever."""
        await listen(address, self.wake)


async def scout(database: Database, wakeups: Wakeups, places: Iterable[Place], scale: float) -> None:
    """Look, read only, for claimable keys that the heads passed over, and for all that is due; for ever.

    Near the heads ten times a second, less often when that takes its time; everywhere at the start, then every 5 s, up
    to a minute where much is due and a look takes long. What it finds moves the head back and wakes the worker: late
    commits, expired leases, keys whose time has come.
    """
    known = list(places)
    window = timedelta(seconds=WINDOW_SECONDS * scale)
    next_full = 0.0
    while True:
        began = monotonic()
        full = began >= next_full
        asked = [
            (scope, flow, band, BEGINNING if full else max(BEGINNING, head - window))
            for scope, flow in known
            for band, head in wakeups.heads[scope, flow].by_band.items()
        ]
        try:
            async with database.work.acquire() as connection:
                found, looked_at = await look(connection, asked)
        except DATABASE_AWAY:
            await anyio.sleep(1)
            continue
        took = monotonic() - began
        if full:
            next_full = began + min(FULL_SECONDS_WHEN_LARGE, max(FULL_SECONDS, FULL_SHARE * took))
        for scope, flow, band, _ in asked:
            seen = found.get((scope, flow, band))
            if seen is not None:
                wakeups.heads[scope, flow].found(band, seen)
                wakeups.wake(scope, flow)
            if full:
                wakeups.heads[scope, flow].started(band, looked_at - window if seen is None else seen.due_at)
        await anyio.sleep(max(NEAR_SECONDS, SHARE * took))
