"""The loop of one flow in one scope: wait, claim, work, settle.

A batch flow asks its gate first, then claims in slices until nothing is due or the pass is full. Other flows run each
key as a task, and what ends at the same time is settled together. Whatever a flow does not catch becomes a postponed
key with a reason: one bad item stops nobody else. Keys lost so often that they may kill their worker are worked apart.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import datetime

import anyio
from anyio.abc import TaskGroup

from app.clock import monotonic
from app.domain.ids import Scope
from app.engine.flow import Flow, Pass, Services, Verdicts
from app.engine.retry import backoff_seconds, retry_at
from app.store import lanes, outbox
from app.store.marks import Mark
from app.store.outbox import Claim, Postponed, Settled, Verdict
from app.store.pool import DATABASE_AWAY
from app.telemetry import metrics
from app.telemetry.logs import log
from app.telemetry.tracing import pass_span
from app.wire.permit import Permit, PermitWait

POLL_SECONDS = 0.005
IDLE_SECONDS = 0.25
SCOUTED_SECONDS = 2.0
GATE_SECONDS = 5.0
DATABASE_RETRY_SECONDS = 1.0
OLD_SECONDS = 300.0
SETTLED = Settled()


class Worker:
    """Works the keys of one flow in one scope until it is told to stop."""

    def __init__(self, flow: Flow, scope: Scope, services: Services) -> None:
        self.flow = flow
        self.scope = scope
        self._services = services
        self._head = services.wakeups.heads[scope, flow.name]
        self._stopping = False
        self._running = 0
        self._idle = POLL_SECONDS
        self._failures = 0
        self._suspects_last = False
        self._starting = False
        self._taken: deque[tuple[Claim, float]] = deque()
        self._ended: dict[Claim, Verdict] = {}
        self._something_ended = anyio.Event()
        self._finished = False
        self._pass_settled = anyio.Event()
        self._pass_settled.set()
        self._last_success = metrics.last_success_seconds.labels(scope, flow.name)

    def stop(self) -> None:
        """Claim nothing more; what runs is finished."""
        self._stopping = True
        self._services.wakeups.wake(self.scope, self.flow.name)

    async def run(self) -> None:
        """Until stopped; keys in work are finished and settled before this returns."""
        async with anyio.create_task_group() as settling:
            settling.start_soon(self._settle_ended)
            async with anyio.create_task_group() as tasks:
                await self._seed()
                while not self._stopping:
                    await self._one_round(tasks)
            self._finished = True
            self._something_ended.set()

    async def _seed(self) -> None:
        while self.flow.keys is not None and not self._stopping:
            keys = self.flow.keys(self._services.settings, self.scope)
            try:
                await outbox.seed(self._services.database, self.scope, self.flow.name, keys)
                return
            except DATABASE_AWAY:
                await self._wait(DATABASE_RETRY_SECONDS)

    async def _one_round(self, tasks: TaskGroup) -> None:
        paused = self._services.pauses.seconds_left(self.scope)
        if paused:
            await self._wait(min(paused, GATE_SECONDS))
            return
        try:
            busy = await (self._batch() if self.flow.batch else self._singles(tasks))
        except DATABASE_AWAY as exc:
            log.warning("database_away", scope=self.scope, flow=self.flow.name, reason=type(exc).__name__)
            await self._wait(DATABASE_RETRY_SECONDS)
            return
        except Exception:  # as a gate that fails; the loop must not end
            self._failures += 1
            log.exception("round_failed", scope=self.scope, flow=self.flow.name)
            await self._rest(backoff_seconds(self._failures, 0.2, 30.0))
            return
        if busy:
            self._idle = POLL_SECONDS
            return
        self._services.pauses.give_back(self.scope)
        seconds = self._idle if self._idle < IDLE_SECONDS else SCOUTED_SECONDS  # from there on the scout looks for us
        self._idle = min(self._idle * 1.5, IDLE_SECONDS)
        if await self._wait(seconds):
            self._idle = POLL_SECONDS

    async def _wait(self, seconds: float) -> bool:
        """Until woken, at most so long; whether somebody woke us."""
        began = monotonic()
        await self._services.wakeups.wait(self.scope, self.flow.name, seconds)
        return monotonic() - began < seconds

    async def _rest(self, seconds: float) -> None:
        """So long, whoever wakes us, unless we stop."""
        until = monotonic() + seconds
        while not self._stopping and (left := until - monotonic()) > 0:
            await self._wait(left)

    # ------------------------------------------------------------------------------------------------ claiming

    async def _bands(self) -> list[int]:
        """The bands with something to claim, most urgent first; one whose oldest key is old goes before."""
        places = [(self.scope, self.flow.name, band, at) for band, at in self._head.by_band.items()]
        async with self._services.database.work.acquire() as connection:
            found, now = await outbox.look(connection, places)
        ages: dict[int, float] = {}
        for (_, _, band), seen in found.items():
            ages[band] = (now - seen.due_at).total_seconds()
            if seen.suspect:
                self._head.found(band, seen)
        return sorted(ages, key=lambda band: (ages[band] <= OLD_SECONDS, band))

    async def _claim(self, band: int, limit: int) -> list[Claim]:
        database, name = self._services.database, self.flow.name
        if self.flow.lane_rank is not None:
            rank, scale = self.flow.lane_rank, self._services.clock.scale
            return await lanes.claim_lanes(database, self.scope, name, band, self._head, limit, rank=rank, scale=scale)
        return await database.alone(
            lambda connection: outbox.claim(connection, self.scope, name, band, self._head, limit)
        )

    async def _claim_suspects(self) -> list[Claim]:
        """A small slice of keys that may kill us, if a look met some; in turns with the rest, so nobody starves."""
        if self._suspects_last or not self._head.suspects:
            self._suspects_last = False
            return []
        band, since = min(self._head.suspects.items())
        database, name = self._services.database, self.flow.name
        del self._head.suspects[band]
        self._suspects_last = True
        if self.flow.lane_rank is not None:
            scale = self._services.clock.scale
            return await lanes.claim_lane_suspect(database, self.scope, name, band, since, scale=scale)
        usual = min(self.flow.slice_size, self.flow.batch) or self.flow.at_once
        return await outbox.claim_suspects(database, self.scope, name, band, since, usual)

    # ------------------------------------------------------------------------------------------------ a batch

    async def _batch(self) -> bool:
        """One pass; False when there was nothing to do."""
        bands = await self._bands()
        if not bands:
            return False
        if self.flow.gather_seconds:
            await self._rest(self.flow.gather_seconds)
        permit: Permit | None = None
        if self.flow.gate is not None:
            gate = await self.flow.gate(self._services, self.scope)
            if isinstance(gate, PermitWait):
                await self._rest(min(gate.seconds / self._services.clock.scale, GATE_SECONDS))
                return True
            permit = gate
        if self.flow.gather_seconds or self.flow.gate is not None:
            bands = await self._bands()  # again: time has passed
        usable_until = outbox.usable_until()
        claims = await self._claim_suspects() or await self._claim_slices(bands)
        if not claims:
            if permit is not None:
                await self._services.permits.give_back(permit)
            return False
        self._running += len(claims)
        ended = await self._work(self._pass(claims, usable_until, permit))
        await self._pass_settled.wait()
        self._pass_settled = anyio.Event()
        self._ended = dict(ended)  # settled while the next pass is claimed
        self._something_ended.set()
        if self._failures:
            await self._rest(backoff_seconds(self._failures, 0.2, 30.0))
        return True

    async def _claim_slices(self, bands: Sequence[int]) -> list[Claim]:
        """Slice after slice, until one is not full or the pass is."""
        claims: list[Claim] = []
        for band in bands:
            while (room := self.flow.batch - len(claims)) > 0 and not self._stopping:
                limit = min(self.flow.slice_size, room)
                slice_ = await self._claim(band, limit)
                claims += slice_
                if len(slice_) < limit:
                    break
        return claims

    def _pass(self, claims: list[Claim], usable_until: float, permit: Permit | None) -> Pass:
        async def extend() -> None:
            until = outbox.usable_until()
            kept = await outbox.extend(self._services.database, self.scope, self.flow.name, claims)
            claims[:] = [c for c in claims if c.key in kept]
            work.usable_until = until

        work = Pass(self._services, self.scope, self.flow.name, claims, usable_until, extend, permit)
        return work

    # ------------------------------------------------------------------------------------------------ single keys

    async def _singles(self, tasks: TaskGroup) -> bool:
        """Start a task for each key there is room for; False when there was none, or no room."""
        room = self.flow.at_once - self._running
        if room <= 0:
            return False
        bands = await self._bands()
        if self._head.suspects and not self._suspects_last:
            return await self._suspects_alone()
        self._suspects_last = False
        started = False
        for band in bands:
            usable_until = outbox.usable_until()
            claims = await self._claim(band, min(room, self.flow.slice_size)) if room > 0 else []
            room -= len(claims)
            self._running += len(claims)
            started = started or bool(claims)
            self._taken.extend((claim, usable_until) for claim in claims)
        if started and not self._starting:
            self._starting = True
            tasks.start_soon(self._work_taken, tasks)
        return started

    async def _suspects_alone(self) -> bool:
        """Work suspects while nothing else is worked here, so that a loss can be theirs only."""
        if self._running:
            return False  # each key that ends wakes us
        usable_until = outbox.usable_until()
        claims = await self._claim_suspects()
        self._running += len(claims)
        self._taken.extend((claim, usable_until) for claim in claims)
        async with anyio.create_task_group() as alone:
            alone.start_soon(self._work_taken, alone)
        return bool(claims)

    async def _work_taken(self, tasks: TaskGroup) -> None:
        """Work claimed keys one after the other, while a task beside this one does so too, and starts the next one.

        So there are as many tasks as keys that are waiting for something, which is what `at_once` limits, and work that
        waits for nothing costs no task.
        """
        self._starting = False
        while self._taken:
            claim, usable_until = self._taken.popleft()
            if self._taken and not self._starting:
                self._starting = True
                tasks.start_soon(self._work_taken, tasks)
            said = await self._work(self._pass([claim], usable_until, None))
            self._ended.update(said)  # after the await: `_ended` is another dict after every settle
            self._something_ended.set()

    async def _settle_ended(self) -> None:
        """Settle what was worked, as much together as has ended; until all has."""
        while self._ended or not self._finished:
            await self._something_ended.wait()
            self._something_ended = anyio.Event()
            ended, self._ended = self._ended, {}
            try:
                await self._settle_apart(ended)
            finally:
                self._running -= len(ended)
                self._pass_settled.set()
                self._services.wakeups.wake(self.scope, self.flow.name)

    async def _settle_apart(self, ended: Mapping[Claim, Verdict]) -> None:
        """Settle together, or one by one when that fails; what can't be settled is taken over when its lease ends."""
        try:
            await self._settle(ended)
        except DATABASE_AWAY as exc:
            log.warning("database_away", scope=self.scope, flow=self.flow.name, reason=type(exc).__name__)
        except Exception:
            log.exception("settle_failed", scope=self.scope, flow=self.flow.name, keys=len(ended))
            if len(ended) > 1:
                for claim, verdict in ended.items():
                    await self._settle_apart({claim: verdict})

    # ------------------------------------------------------------------------------------------------ working

    async def _work(self, work: Pass) -> Mapping[Claim, Verdict]:
        """Run the flow on the claims and say how each ended, whatever happened."""
        claimed = list(work.claims)
        try:
            with pass_span(self.scope, self.flow.name, claimed):
                said: Verdicts = await self.flow.work(work)
        except Exception as exc:
            self._failures += 1
            metrics.passes_failed.labels(self.scope, self.flow.name).inc()
            log.exception("pass_failed", scope=self.scope, flow=self.flow.name, keys=len(claimed))
            reason = f"{type(exc).__name__}: {exc}"[:500]
            return {c: Postponed(self._retry_at(c), reason) for c in claimed}
        self._failures = 0
        return {c: said.get(c, SETTLED) for c in claimed} if said else dict.fromkeys(claimed, SETTLED)

    def _retry_at(self, claim: Claim) -> datetime:
        return retry_at(self._services.clock, claim, self.flow.retry_base_seconds, self.flow.retry_cap_seconds)

    async def _settle(self, verdicts: Mapping[Claim, Verdict]) -> None:
        lost, again = await outbox.settle(self._services.database, self.scope, self.flow.name, verdicts)
        kinds = Counter(map(type, verdicts.values()))
        if kinds.keys() - {Postponed}:
            self._last_success.set(self._services.clock.now().timestamp())
        kinds.subtract(type(verdicts[c]) for c in lost)
        for kind, count in kinds.items():
            metrics.keys_settled.labels(self.scope, self.flow.name, kind.__name__.lower()).inc(count)
        if lost:
            metrics.claims_lost.labels(self.scope, self.flow.name).inc(len(lost))
            log.warning("claims_lost", scope=self.scope, flow=self.flow.name, keys=len(lost))
            if self.flow.effects:  # the far side can't be fenced, so it is corrected
                await self._services.database.mark([Mark(self.scope, self.flow.name, c.key) for c in lost])
        if again:
            self._services.wakeups.wake(self.scope, self.flow.name)
