"""The loop of one flow in one scope: wait, claim, work, settle.

A batch flow asks its gate first, then claims in slices until nothing is due or the pass is full. Other flows
run each key as a task. Whatever a flow does not catch becomes a postponed key with a reason: one bad item stops
nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from app.wire.permit import Permit, PermitWait

POLL_SECONDS = 0.005
IDLE_SECONDS = 0.25
SCOUTED_SECONDS = 2.0
GATE_SECONDS = 5.0
DATABASE_RETRY_SECONDS = 1.0
OLD_SECONDS = 300.0


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

    def stop(self) -> None:
        """Claim nothing more; what runs is finished."""
        self._stopping = True
        self._services.wakeups.wake(self.scope, self.flow.name)

    async def run(self) -> None:
        """Until stopped; keys in work are finished before this returns."""
        async with anyio.create_task_group() as tasks:
            while not self._stopping:
                try:
                    if self.flow.keys is not None:
                        await outbox.seed(
                            self._services.database,
                            self.scope,
                            self.flow.name,
                            self.flow.keys(self._services.settings, self.scope),
                        )
                    break
                except DATABASE_AWAY:
                    await self._wait(DATABASE_RETRY_SECONDS)
            while not self._stopping:
                await self._one_round(tasks)

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
        if busy:
            self._idle = POLL_SECONDS
            return
        seconds = self._idle if self._idle < IDLE_SECONDS else SCOUTED_SECONDS  # from there on the scout looks
        self._idle = min(self._idle * 1.5, IDLE_SECONDS)
        if await self._wait(seconds):
            self._idle = POLL_SECONDS

    async def _wait(self, seconds: float) -> bool:
        began = monotonic()
        await self._services.wakeups.wait(self.scope, self.flow.name, seconds)
        return monotonic() - began < seconds

    # ------------------------------------------------------------------------------------------------ claiming

    async def _bands(self) -> list[int]:
        """The bands with something to claim, most urgent first; one whose oldest key is old goes before."""
        places = [(self.scope, self.flow.name, band, at) for band, at in self._head.by_band.items()]
        async with self._services.database.work.acquire() as connection:
            found = await outbox.look(connection, places)
        now = self._services.clock.now()
        ages = {band: (now - due_at).total_seconds() for (_, _, band), due_at in found.items()}
        return sorted(ages, key=lambda band: (ages[band] <= OLD_SECONDS, band))

    async def _claim(self, band: int, limit: int) -> list[Claim]:
        database, name = self._services.database, self.flow.name
        if self.flow.lane_rank is not None:
            return await lanes.claim_lanes(
                database,
                self.scope,
                name,
                band,
                self._head,
                limit,
                rank=self.flow.lane_rank,
                scale=self._services.clock.scale,
            )
        async with database.work.acquire() as connection:
            claims = await outbox.claim(connection, self.scope, name, band, self._head, limit)
        return claims or await outbox.claim_suspects(database, self.scope, name, band, limit)

    # ------------------------------------------------------------------------------------------------ a batch

    async def _batch(self) -> bool:
        """One pass; False when there was nothing to do."""
        if not await self._bands():
            return False
        if self.flow.gather_seconds:
            await anyio.sleep(self.flow.gather_seconds)
        permit: Permit | None = None
        if self.flow.gate is not None:
            gate = await self.flow.gate(self._services, self.scope)
            if isinstance(gate, PermitWait):
                await anyio.sleep(min(gate.seconds / self._services.clock.scale, GATE_SECONDS))
                return True
            permit = gate
        usable_until = outbox.usable_until()
        claims: list[Claim] = []
        for band in await self._bands():
            while len(claims) < self.flow.batch and not self._stopping:
                slice_ = await self._claim(band, min(self.flow.slice_size, self.flow.batch - len(claims)))
                if not slice_:
                    break
                claims += slice_
        if not claims:
            if permit is not None:
                await self._services.permits.give_back(permit)
            return False
        await self._work(self._pass(claims, usable_until, permit))
        return True

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
        started = False
        for band in await self._bands():
            usable_until = outbox.usable_until()
            claims = await self._claim(band, room) if room > 0 else []
            room -= len(claims)
            for claim in claims:
                self._running += 1
                started = True
                tasks.start_soon(self._single, self._pass([claim], usable_until, None))
        return started

    async def _single(self, work: Pass) -> None:
        try:
            await self._work(work)
        except DATABASE_AWAY as exc:  # the lease ends and somebody takes it over
            log.warning("database_away", scope=self.scope, flow=self.flow.name, reason=type(exc).__name__)
        finally:
            self._running -= 1
            self._services.wakeups.wake(self.scope, self.flow.name)

    # ------------------------------------------------------------------------------------------------ working

    async def _work(self, work: Pass) -> None:
        """Run the flow on the claims and settle all of them, whatever happened."""
        claimed = list(work.claims)
        try:
            said: Verdicts = await self.flow.work(work)
        except DATABASE_AWAY:
            raise
        except Exception as exc:
            self._failures += 1
            metrics.passes_failed.labels(self.scope, self.flow.name).inc()
            log.exception("pass_failed", scope=self.scope, flow=self.flow.name, keys=len(claimed))
            said = {c: Postponed(self._retry_at(c), f"{type(exc).__name__}: {exc}"[:500]) for c in claimed}
        else:
            self._failures = 0
            now = self._services.clock.now().timestamp()
            metrics.last_success_seconds.labels(self.scope, self.flow.name).set(now)
        await self._settle({c: said.get(c, Settled()) for c in claimed})
        if self._failures:
            await self._wait(backoff_seconds(self._failures, 0.2, 30.0))

    def _retry_at(self, claim: Claim) -> datetime:
        return retry_at(self._services.clock, claim, self.flow.retry_base_seconds, self.flow.retry_cap_seconds)

    async def _settle(self, verdicts: Mapping[Claim, Verdict]) -> None:
        lost, again = await outbox.settle(self._services.database, self.scope, self.flow.name, verdicts)
        for claim, verdict in verdicts.items():
            if claim not in lost:
                metrics.keys_settled.labels(self.scope, self.flow.name, type(verdict).__name__.lower()).inc()
        if lost:
            metrics.claims_lost.labels(self.scope, self.flow.name).inc(len(lost))
            log.warning("claims_lost", scope=self.scope, flow=self.flow.name, keys=len(lost))
            if self.flow.effects:  # the far side can't be fenced, so it is corrected
                await self._services.database.mark([Mark(self.scope, self.flow.name, c.key) for c in lost])
        if again:
            self._services.wakeups.wake(self.scope, self.flow.name)
