"""One order's turn in the flow `order_entry`: what its steps have at hand, and the ledger of what they send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.domain.ids import EffectId, Scope
from app.domain.progress import EntryCall, Record
from app.engine.flow import Pass, Services
from app.engine.retry import after_failure
from app.policy_settings import OrderSettings
from app.store import orders
from app.store.effects import Doubt, EffectClass, open_effect, record, write_again, write_sent
from app.store.marks import Mark
from app.store.orders import ORDER_ENTRY
from app.store.outbox import Claim, Held, Verdict
from app.store.pool import Transaction
from app.telemetry import metrics
from app.wire.outcome import Failure, Outcome, RefusalKind, Refused


@dataclass(frozen=True, slots=True)
class Turn:
    """One claimed order, its record as just read, and its channel's policy."""

    turn: Pass
    claim: Claim
    record: Record
    settings: OrderSettings

    @property
    def services(self) -> Services:
        return self.turn.services

    @property
    def scope(self) -> Scope:
        return self.turn.scope

    @property
    def order_id(self) -> str:
        return self.record.order.order_id

    @property
    def orders_next(self) -> Mark:
        """The flow `orders` has something to look at."""
        return orders.mark_of(self.scope, orders.ORDERS, self.order_id)

    async def write(self, steps: Callable[[Transaction], Awaitable[None]]) -> None:
        """One transaction."""
        await self.services.database.transact(steps)

    def failed(self, failure: Failure) -> Verdict:
        """What follows for the key when Centra's answer was no answer."""
        services = self.services
        return after_failure(failure, self.claim, services.clock, services.pauses, services.source)

    def refused(self, failure: Failure, what: str) -> Verdict:
        """As `failed`, and a refusal is for a person, with Centra's words."""
        if isinstance(failure, Refused) and failure.kind is not RefusalKind.CREDENTIALS:
            return Held(f"{what}: {failure.reason}")
        return self.failed(failure)

    async def doubt(self, code: EntryCall) -> Doubt | None:
        """A call of this code whose end nobody knows."""
        return await open_effect(self.services.database, self.scope, self.order_id, code)

    async def sent(self, code: EntryCall, effect_class: EffectClass, doubt: str | None = None) -> EffectId:
        """Write a call down before its first byte leaves. A *state* effect of a dead caller is asked again by this."""

        async def steps(tx: Transaction) -> EffectId:
            if effect_class is EffectClass.STATE:
                return await write_again(
                    tx.connection, self.scope, ORDER_ENTRY, code, effect_class, lane=self.order_id, key=self.claim.key
                )
            return await write_sent(
                tx.connection,
                self.scope,
                ORDER_ENTRY,
                code,
                effect_class,
                lane=self.order_id,
                key=self.claim.key,
                doubt=doubt,
            )

        return await self.services.database.transact(steps)

    async def decided(self, effect_id: EffectId, code: EntryCall, outcome: Outcome[object]) -> None:
        """Write down how a call ended."""
        metrics.effects.labels(self.scope, ORDER_ENTRY, code, type(outcome).__name__.lower()).inc()
        async with self.services.database.work.acquire() as connection:
            await record(connection, effect_id, outcome)
