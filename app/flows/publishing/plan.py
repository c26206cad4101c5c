"""What a pass over SKUs decides: what is wanted of each, what is held and why, and what leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from app.domain.ids import EffectId
from app.engine.bulk import Upload
from app.engine.flow import Pass
from app.store import publications
from app.store.imports import Line
from app.store.outbox import Claim, Held, Verdict
from app.store.pool import Connection
from app.store.products import digest_of
from app.store.publications import Kind, Publication, Standing, Wanted
from app.wire.outcome import Outcome

RELEASE = "check it, then `centra-mirakl catalogue release`"
T = TypeVar("T")


@dataclass(slots=True)
class Plan(Generic[T]):
    """One pass. `told`: what is known of each key; `dry_run`: nothing leaves but what a person let go."""

    kind: Kind
    told: dict[str, Publication]
    dry_run: bool = False
    verdicts: dict[Claim, Verdict] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    bodies: list[T] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def stands(self, claim: Claim, state: Standing, reasons: Sequence[str] = ()) -> None:
        """Nothing is sent of it now."""
        told = self.told.get(claim.key)
        if told is None or told.state is not state or told.reasons != tuple(reasons):
            self._want(claim.key, state, reasons)

    def hold(self, claim: Claim, reasons: Sequence[str], wanted: object = None) -> None:
        """It waits for a person; `wanted`: what they may let go."""
        digest = None if wanted is None else digest_of(wanted)
        self._want(claim.key, Standing.HELD, reasons, wanted, digest)
        self.verdicts[claim] = Held("; ".join(reasons) + (f"; {RELEASE}" if wanted is not None else ""))

    def is_approved(self, claim: Claim, wanted: object) -> bool:
        """Whether a person let exactly this go."""
        told = self.told.get(claim.key)
        return told is not None and told.approved is not None and told.approved == digest_of(wanted)

    def send(self, claim: Claim, wanted: object, body: T) -> None:
        """It leaves as `body`, unless the marketplace is known to have what is wanted."""
        told, digest = self.told.get(claim.key), digest_of(wanted)
        rejected = told is not None and told.state is Standing.REJECTED and told.sent == digest
        if told is not None and rejected and told.approved != digest:
            self.verdicts[claim] = Held("; ".join(told.reasons) or "rejected")  # until it is another one
            return
        if told is not None and not rejected and told.is_settled(digest):
            if self._is_back(told):
                state = Standing.LIVE if told.known else Standing.WAITING
                self._want(claim.key, state, (), wanted, digest)
            return
        state = Standing.NEW if told is None or told.state in (Standing.HELD, Standing.GONE) else told.state
        self._want(claim.key, state, (), wanted, digest)
        if self.dry_run and not self.is_approved(claim, wanted):
            return
        self.bodies.append(body)
        self.lines.append(Line(claim.key, claim.version, 0, claim.dirty_since, digest))
        self.claims.append(claim)

    def withhold(self, keys: Collection[str], state: Standing) -> None:
        """These are not sent after all: they stand so."""
        for place in reversed([place for place, line in enumerate(self.lines) if line.key in keys]):
            self.wanted[self.lines[place].key] = replace(self.wanted[self.lines[place].key], state=state)
            del self.bodies[place], self.lines[place], self.claims[place]

    def moved(self, state: Standing) -> list[str]:
        """Keys that now come into a state, or leave it."""
        was = {key for key, told in self.told.items() if told.state is state}
        return [one.key for one in self.wanted.values() if (one.key in was) is not (one.state is state)]

    def _is_back(self, told: Publication) -> bool:
        """Whether what kept it back is over, and the marketplace has it. Products wait for the operator besides."""
        waited = told.state is Standing.WAITING and self.kind is not Kind.PRODUCTS
        return waited or told.state in (Standing.HELD, Standing.GONE, Standing.NEW)

    def _want(
        self, key: str, state: Standing, reasons: Sequence[str], body: object = None, digest: str | None = None
    ) -> None:
        self.wanted[key] = Wanted(key, state, tuple(reasons), body, digest)

    async def write(self, turn: Pass) -> None:
        """Write down what was decided."""
        if self.wanted:
            async with turn.services.database.work.acquire() as connection:
                await publications.want(connection, turn.scope, self.kind, self.wanted.values())

    async def write_sent(self, connection: Connection, scope: str) -> None:
        """Write down what is about to leave."""
        sent = [(line.key, line.digest or "", line.version) for line in self.lines]
        await publications.write_sent(connection, scope, self.kind, sent)


def upload(turn: Pass, plan: Plan[T], post: Callable[[EffectId, int], Awaitable[Outcome[str]]]) -> Upload:
    """What leaves, as `engine/bulk` sends it."""

    async def write(connection: Connection) -> None:
        await plan.write_sent(connection, turn.scope)

    return Upload(plan.lines, plan.claims, write, post)
