"""One order's turn in a flow after its sale: the facts that are not dealt with yet, each with its next step.

A step ends its intent in the transaction of its effect, or says why it can't: what waits is asked again, what needs a
person is held with a reason, an owner and advice, and opens itself when the reason is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.after_sale import Advice, Announced, Carrier, Given, Parcel, Stop, taken
from app.domain.ids import EffectId, OrderLineId, Scope
from app.domain.orders import Order, Refunded
from app.domain.progress import Record
from app.domain.teams import Team
from app.engine.flow import Pass, Services
from app.engine.retry import after_failure
from app.flows.order_reads import READS
from app.policies.order_steps import Wait
from app.policy_settings import AfterSaleSettings
from app.store import effects, intents, orders
from app.store.effects import (
    EffectClass,
    EffectState,
    OneDoubt,
    decide,
    doubt_of,
    open_effects,
    write_again,
    write_sent,
)
from app.store.intents import Intent, Kind, State
from app.store.marks import Mark
from app.store.outbox import Claim, Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.wire.outcome import Failure, Outcome, RefusalKind, Refused

DAY = timedelta(days=1)
CREATES = ("ST01", "OR28", "OR30", "ReturnCreate", "OR74", "DR74")
"""Calls that make something new each time; their doubts are decided where they are made."""
SEEN = {
    True: (EffectState.APPLIED, "what it was to do is done"),
    False: (EffectState.NOT_APPLIED, "it is not done, and is for a person"),
}
SLACK_SECONDS = 30.0
"""After a read that was asked for is missed, it is asked for again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person is needed. `again_at`: it is tried by itself then, all the same."""

    stop: Stop
    team: Team
    again_at: datetime | None = None


Step = Settled | Waiting | Postponed | Hold
"""Settled: nothing is left to do about the intent now."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One claimed order, what is stored about it, and its channel's policy."""

    turn: Pass
    claim: Claim
    record: Record
    settings: AfterSaleSettings
    intents: tuple[Intent, ...]

    @property
    def services(self) -> Services:
        return self.turn.services

    @property
    def scope(self) -> Scope:
        return self.turn.scope

    @property
    def order(self) -> Order:
        return self.record.order

    @property
    def order_id(self) -> str:
        return self.record.order.order_id

    @property
    def now(self) -> datetime:
        return self.services.clock.now()

    def after(self, seconds: float) -> datetime:
        return self.services.clock.after(seconds)

    def of(self, kind: Kind) -> list[Intent]:
        return [intent for intent in self.intents if intent.kind is kind]

    @property
    def announced(self) -> dict[int, Announced]:
        """Parcels that the marketplace was told of, by shipment id; also those that a person told it of."""
        found: dict[int, Announced] = {}
        for intent in self.of(Kind.SHIPMENT):
            told, parcel = intent.answer(Announced), intent.read(Parcel)
            if told is None and intent.state is State.DONE and parcel.complete:
                told = Announced(parcel, Carrier())
            if told is not None:
                found[told.parcel.shipment_id] = told
        return found

    @property
    def sent(self) -> dict[int, Mapping[OrderLineId, int]]:
        """Units told as shipped, by shipment id."""
        return {shipment_id: told.parcel.units for shipment_id, told in self.announced.items()}

    @property
    def shipped_units(self) -> Counter[OrderLineId]:
        """Units told as shipped, by line."""
        units: Counter[OrderLineId] = Counter()
        for held in self.sent.values():
            units.update(held)
        return units

    @property
    def excluded(self) -> Counter[OrderLineId]:
        """Units that refunds of ours took out of what is to be shipped."""
        units: Counter[OrderLineId] = Counter()
        for intent in self.of(Kind.CANCELLATION):
            for given in intent.answer(tuple[Given, ...]) or ():
                units.update(given.excluded)
        return units

    @property
    def returned(self) -> frozenset[str]:
        """The marketplace's ids of refunds of ours for what came back."""
        answers = (intent.answer(tuple[Given, ...]) or () for intent in self.of(Kind.REFUND))
        return frozenset(id_ for given in answers for one in given for id_ in one.ids)

    @property
    def given(self) -> list[Given]:
        """What calls of ours gave back or cancelled."""
        return [
            given
            for intent in self.intents
            if intent.kind in (Kind.REFUND, Kind.CANCELLATION)
            for given in intent.answer(tuple[Given, ...]) or ()
        ]

    @property
    def taken(self) -> tuple[Refunded, ...]:
        """Every refund and cancelation of the order."""
        return taken(self.order, self.given)

    async def write(self, steps: Callable[[Transaction], Awaitable[None]]) -> None:
        """One transaction."""
        await self.services.database.transact(steps)

    async def done(self, tx: Transaction, intent: Intent, told: object, words: str) -> None:
        """The intent needs nothing more; whatever else is open about the order looks again."""
        await intents.done(tx.connection, intent, told, words)
        tx.mark(await intents.marks(tx.connection, self.scope, [self.order_id], but=intent.kind))

    async def end(self, intent: Intent, told: object, words: str) -> Settled:
        """As `done`, in a transaction of its own."""
        await self.write(lambda tx: self.done(tx, intent, told, words))
        return Settled()

    async def ask_read(self, seconds: float = 0.0) -> Waiting:
        """Have the order read again at the marketplace, which marks what is open about it."""
        due = self.after(seconds) if seconds else None
        await self.services.database.mark([Mark(self.scope, READS, self.order_id, due_at=due)])
        return Waiting(self.after(seconds + SLACK_SECONDS), "the order is read again at the marketplace")

    def waits(self, wait: Wait) -> Settled | Waiting:
        """Until something happens, or the time comes."""
        return Settled() if wait.seconds is None else Waiting(self.after(wait.seconds), wait.reason)

    def failed(self, failure: Failure, scope: Scope, what: str, team: Team) -> Postponed | Hold:
        """What follows when a call was no success: a refusal is for a person, with the far side's words."""
        if isinstance(failure, Refused) and failure.kind is not RefusalKind.CREDENTIALS:
            return Hold(Stop(f"{what}: {failure.reason}", Advice.BY_HAND), team)
        verdict = after_failure(failure, self.claim, self.services.clock, self.services.pauses, scope)
        assert isinstance(verdict, Postponed)
        return verdict

    # ------------------------------------------------------------------------------------- the ledger of calls

    async def call_once(self, code: str, doubt: str, intent: Intent | None, snapshot: object) -> EffectId:
        """Write a call down that makes something new each time, before its first byte leaves. Raises OpenDoubtError."""
        return await self._write(
            lambda tx: write_sent(
                tx.connection,
                self.scope,
                self.turn.flow,
                code,
                EffectClass.CREATE,
                lane=self.order_id,
                key=self.claim.key,
                doubt=doubt,
                intent=None if intent is None else intent.id,
                snapshot=snapshot,
            )
        )

    async def call_again(self, code: str, effect_class: EffectClass, intent: Intent | None = None) -> EffectId:
        """Write a call down that bears repetition."""
        return await self._write(
            lambda tx: write_again(
                tx.connection,
                self.scope,
                self.turn.flow,
                code,
                effect_class,
                lane=self.order_id,
                key=self.claim.key,
                intent=None if intent is None else intent.id,
            )
        )

    async def _write(self, steps: Callable[[Transaction], Awaitable[EffectId]]) -> EffectId:
        if not self.turn.still_ours:
            await self.turn.extend()
        return await self.services.database.transact(steps)

    async def call_ended(self, effect_id: EffectId, code: str, outcome: Outcome[object]) -> None:
        """Write down how a call ended."""
        self.count(code, outcome)
        async with self.services.database.work.acquire() as connection:
            await effects.record(connection, effect_id, outcome)

    def count(self, code: str, outcome: Outcome[object]) -> None:
        """As `record`, for a call whose end is written with what it made."""
        metrics.effects.labels(self.scope, self.turn.flow, code, type(outcome).__name__.lower()).inc()

    async def doubt(self, kind: str) -> OneDoubt | None:
        """The call of a kind that is in doubt about the order."""
        async with self.services.database.work.acquire() as connection:
            return await doubt_of(connection, self.scope, self.order_id, kind)

    async def decided(self, doubt: OneDoubt, state: EffectState, words: str) -> None:
        """How a doubt ended; held: for a person."""
        async with self.services.database.work.acquire() as connection:
            await decide(connection, doubt.id, state, words)

    async def calls_seen(self, *, applied: bool) -> None:
        """Calls of this flow that bear repetition and whose answers were lost: what was read since has decided them.

        A call for an intent was applied if the intent is done; `applied` is for those that have none.
        """
        open_ = await open_effects(self.services.database, self.scope, self.order_id, self.turn.flow)
        doubts = [doubt for doubt in open_ if doubt.code not in CREATES]
        if not doubts:
            return
        async with self.services.database.work.acquire() as connection:
            now = await intents.of_order(connection, self.scope, self.order_id)
            done = {intent.id for intent in now if intent.state is State.DONE}
            for doubt in doubts:
                state, words = SEEN[applied if doubt.intent is None else doubt.intent in done]
                await decide(connection, doubt.id, state, words)


StepOf = Callable[[Sale, Intent], Awaitable[Step]]


async def load(turn: Pass, claim: Claim) -> Sale | None:
    """What is stored about the order of a key; None when nothing is."""
    async with turn.services.database.work.acquire() as connection:
        record = await orders.read(connection, turn.scope, claim.key)
        if record is None:
            return None
        found = await intents.of_order(connection, turn.scope, claim.key)
    return Sale(turn, claim, record, turn.services.channel(turn.scope).after_sale, found)


async def advance(turn: Pass, kind: Kind, step: StepOf) -> dict[Claim, Verdict]:
    """Take every intent of a kind as far as it goes now; what one changes, the next one sees."""
    claim = turn.claims[0]
    sale = await load(turn, claim)
    if sale is None or not sale.settings.acts:
        return {}
    found: list[Step] = []
    for intent_id in [intent.id for intent in sale.of(kind) if intent.state is not State.DONE]:
        sale = await load(turn, claim)
        assert sale is not None
        intent = next(intent for intent in sale.intents if intent.id == intent_id)
        if intent.state is not State.DONE:
            taken = await step(sale, intent)
            await _write_down(sale, intent, taken)
            found.append(taken)
    verdict = _verdict(found)
    if isinstance(verdict, Settled | Held):
        await sale.calls_seen(applied=isinstance(verdict, Settled))
    return {claim: verdict}


async def _write_down(sale: Sale, intent: Intent, step: Step) -> None:
    """Held with its reason, or open again when the reason is gone."""
    if isinstance(step, Hold):
        tried_again = step.again_at is not None and step.again_at > (intent.held_at or sale.now) + DAY
        if intent.state is State.HELD and intent.reason == step.stop.reason and not tried_again:
            return
        async with sale.services.database.work.acquire() as connection:
            await intents.hold(connection, intent, step.stop, step.team)
    elif intent.state is State.HELD:
        async with sale.services.database.work.acquire() as connection:
            await intents.reopen(connection, intent.id, "what it was held for is gone")


def _verdict(steps: list[Step]) -> Verdict:
    """The earliest of the times; else held for the first that needs a person."""
    timed = [(s.until, s) for s in steps if isinstance(s, Waiting | Postponed)]
    held = [s for s in steps if isinstance(s, Hold)]
    timed += [(s.again_at, Waiting(s.again_at, s.stop.reason)) for s in held if s.again_at is not None]
    if timed:
        return min(timed, key=lambda pair: pair[0])[1]
    return Held(held[0].stop.reason) if held else Settled()


def parcels(sale: Sale) -> list[Parcel]:
    """The parcels of the order, as Centra has them."""
    return [intent.read(Parcel) for intent in sale.of(Kind.SHIPMENT)]
