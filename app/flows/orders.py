"""A marketplace order is decided, accepted and followed to its end.

A key is Mirakl's order id, and its lane: everything about one order happens one thing at a time. What comes next
follows from the stored facts alone (`policies/order_steps`), so a crash repeats nothing that must not be repeated. A
line is accepted when Centra's free quantity, read after the reservation was committed, covers it and every promise
before it; what fails on our side holds the order with its deadline and never refuses it.

OR21 is a *state* effect: the marketplace refuses to repeat it. A lost answer is decided by reading the order again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from app import failpoints
from app.domain.ids import EffectId
from app.domain.progress import Acceptor, Choice, Decided, Outcome, Record
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.flows.order_reads import READS
from app.flows.order_stock import stock_for
from app.mirakl.orders import refusal_code
from app.policies import acceptance
from app.policies.acceptance import Accept, AcceptancePolicy, HoldOrder
from app.policies.order_steps import Action, Ask, End, StepPolicy, Wait, next_step
from app.policy_settings import OrderSettings
from app.settings import Channel
from app.store import effects, mirrors, offers, orders, reservations
from app.store.effects import EffectClass, EffectState, audit, decide, open_effect, write_sent
from app.store.marks import Mark
from app.store.orders import ORDER_ENTRY, ORDERS, RANKS, SELLER_REFERENCES
from app.store.outbox import Claim, Held, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.telemetry.tracing import exemplar
from app.wire.outcome import Applied, Failure, RefusalKind, Refused, Unknown

CODE = "OR21"
PARTIAL = "orders.partial_acceptance"
"""Cursor: whether the marketplace takes a decision line by line, once its refusal has told."""
READ_SECONDS = 5.0
DOUBT_SECONDS = 15.0
"""App seconds after which a read that still shows an order undecided means that a lost OR21 was not applied."""
NEAR_LAPSE = 0.75
MOST_STEPS = 8


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Take one order as far as it goes now."""
    claim = turn.claims[0]
    return {claim: await _advance(turn, claim)}


async def _advance(turn: Pass, claim: Claim) -> Verdict:
    settings = turn.services.channel(turn.scope).orders
    policy = step_policy(turn.services.channel(turn.scope))
    for _ in range(MOST_STEPS):
        async with turn.services.database.work.acquire() as connection:
            record = await orders.read(connection, turn.scope, claim.key)
        if record is None:
            return Held("nothing is stored about this order: read it with `orders import`")
        step = next_step(record, policy)
        match step:
            case End(outcome):
                return await _end(turn, record, outcome)
            case Wait(reason, seconds):
                return Settled() if seconds is None else Waiting(turn.services.clock.after(seconds), reason)
            case Ask(reason):
                return Held(reason)
            case Action():
                verdict = await _act(turn, claim, record, step, settings)
        if verdict is not None:
            return verdict
    return Waiting(turn.services.clock.after(1), "goes on")


def step_policy(channel: Channel) -> StepPolicy:
    """What a channel decides about the course of an order."""
    settings = channel.orders
    return StepPolicy(settings.start_at, settings.accepted_elsewhere, settings.confirm, channel.after_sale.acts)


async def _act(turn: Pass, claim: Claim, record: Record, step: Action, settings: OrderSettings) -> Verdict | None:
    """Take one step; None when it is done and the next may follow at once."""
    match step:
        case Action.DECIDE:
            return await _decide(turn, claim, record, settings)
        case Action.TAKE_AS_ACCEPTED:
            lines = {line.line_id: True for line in record.order.live_lines}
            await _write_decision(turn, record, Decided(lines, ("accepted at the marketplace already",)))
        case Action.NOTE_ACCEPTANCE:
            await _note_acceptance(turn, record)
        case Action.ENTER:
            await turn.services.database.mark([orders.mark_of(turn.scope, ORDER_ENTRY, claim.key)])
            return Settled()
        case Action.ACCEPT:
            return await _accept(turn, claim, record, settings)
        case Action.REREAD:
            return await _read_again(turn, claim, "the marketplace has not moved the order on yet")
        case _:
            assert_never(step)
    return None


async def _end(turn: Pass, record: Record, outcome: Outcome) -> Verdict:
    if record.outcome is outcome:
        return Settled()
    doubt = await open_effect(turn.services.database, turn.scope, record.order.order_id, CODE)

    async def steps(tx: Transaction) -> None:
        order_id = record.order.order_id
        if doubt is not None:  # whether it was taken or not, it is over
            taken = outcome in (Outcome.REFUSED, Outcome.RELEASED)
            state = EffectState.APPLIED if taken else EffectState.NOT_APPLIED
            await decide(tx.connection, doubt.id, state, f"the order is {record.order.state}")
        await orders.ended(tx.connection, turn.scope, order_id, outcome)
        was = record.outcome.value if record.outcome else None
        await audit(tx.connection, turn.scope, ORDERS, f"order:{order_id}", was, outcome, record.order.state)
        if outcome in (Outcome.REFUSED, Outcome.LAPSED, Outcome.CANCELLED):
            # The marketplace may have set these offers to 0 (business rule 6); a lost create may still come to light.
            channels = [turn.scope] if turn.services.channel(turn.scope).stock.on else []
            for listed in await offers.marks_for(tx.connection, channels, [line.sku for line in record.order.lines]):
                tx.mark(await offers.push_again(tx.connection, listed.scope, [listed.key]))
            tx.mark([orders.mark_of(turn.scope, ORDER_ENTRY, order_id)])

    await turn.services.database.transact(steps)
    metrics.orders_ended.labels(turn.scope, outcome.value).inc()
    log.info("order_ended", scope=turn.scope, key=record.order.order_id, outcome=outcome.value)
    return Settled()


async def _note_acceptance(turn: Pass, record: Record) -> None:
    """The order moved on: by our own decision, by the marketplace's setting, or by somebody else's hand."""
    effect = await open_effect(turn.services.database, turn.scope, record.order.order_id, CODE)
    if record.accept_sent_at is not None:  # our own call, taken late or its answer lost
        by = Acceptor.US
    else:
        by = Acceptor.SYSTEM if record.order.decided_at is None else Acceptor.SOMEBODY
    if by is Acceptor.SOMEBODY:
        metrics.orders_accepted_elsewhere.labels(turn.scope).inc()

    async def steps(tx: Transaction) -> None:
        if effect is not None:
            await decide(tx.connection, effect.id, EffectState.APPLIED, f"the order is {record.order.state}")
        await _write_accepted(tx, turn, record, by)

    await turn.services.database.transact(steps)


async def _write_accepted(tx: Transaction, turn: Pass, record: Record, by: Acceptor) -> None:
    order_id = record.order.order_id
    accepted = await orders.accepted(tx.connection, turn.scope, order_id, by)
    if accepted is None:
        return
    await audit(tx.connection, turn.scope, ORDERS, f"order:{order_id}", None, f"accepted by {by}", None)
    if record.number is not None:
        tx.mark([Mark(turn.scope, SELLER_REFERENCES, order_id)])
    if by is Acceptor.US:
        metrics.stored_to_accepted_seconds.labels(turn.scope).observe(accepted.seconds, exemplar())
        if accepted.used_window > NEAR_LAPSE:
            metrics.orders_near_lapse.labels(turn.scope).inc()


# ------------------------------------------------------------------------------------------------------ deciding


async def _decide(turn: Pass, claim: Claim, record: Record, settings: OrderSettings) -> Verdict | None:
    if record.choice in (Choice.ACCEPT, Choice.REFUSE):
        yes = record.choice is Choice.ACCEPT
        lines = {line.line_id: yes for line in record.order.live_lines}
        await _write_decision(turn, record, Decided(lines, (f"a person decided: {record.choice.value}",)))
        return None
    services = turn.services
    policy = await _acceptance_policy(turn, settings)
    since = services.clock.now() - timedelta(days=settings.price_history_days)
    async with services.database.work.acquire() as connection:
        history = await offers.price_history(connection, turn.scope, [line.sku for line in record.order.lines], since)
    if words := acceptance.price_guard(record.order, history, policy):
        return Held(words)
    stock = await stock_for(turn, record.order, again=False)
    if not isinstance(stock, Mapping):
        return after_failure(stock, claim, services.clock, services.pauses, services.source)
    decision = acceptance.decide(record.order, stock, policy)
    if _is_short(decision):  # earlier promises may be in Centra already, and in the free quantity with them
        stock = await stock_for(turn, record.order, again=True)
        if not isinstance(stock, Mapping):
            return after_failure(stock, claim, services.clock, services.pauses, services.source)
        decision = acceptance.decide(record.order, stock, policy)
    match decision:
        case HoldOrder(reason):
            return Held(reason)
        case Accept(answers, short, steps):
            taken = tuple(line for line, yes in answers.items() if yes and line in short)
            await _write_decision(turn, record, Decided(answers, steps, taken))
            return None
    assert_never(decision)


def _is_short(decision: acceptance.Decision) -> bool:
    return isinstance(decision, HoldOrder) or bool(decision.short)


async def _acceptance_policy(turn: Pass, settings: OrderSettings) -> AcceptancePolicy:
    async with turn.services.database.work.acquire() as connection:
        partial = await mirrors.read_cursor(connection, turn.scope, PARTIAL, bool)
    return AcceptancePolicy(
        short=settings.short,
        partial_allowed=partial,
        partial=settings.partial,
        price_guard_share=settings.price_guard,
    )


async def _write_decision(turn: Pass, record: Record, decided: Decided) -> None:
    async def steps(tx: Transaction) -> None:
        order_id = record.order.order_id
        await orders.decide(tx.connection, turn.scope, order_id, decided)
        words = f"{len(decided.accepted_lines)} of {len(decided.accepted)} lines accepted"
        await audit(tx.connection, turn.scope, ORDERS, f"order:{order_id}", None, "decided", words)

    await turn.services.database.transact(steps)
    await fail_point(failpoints.ORDER_DECIDED)


# ----------------------------------------------------------------------------------------------------- accepting


async def _accept(turn: Pass, claim: Claim, record: Record, settings: OrderSettings) -> Verdict | None:
    services, scope, order_id = turn.services, turn.scope, record.order.order_id
    if not settings.acts:
        return Waiting(services.clock.after(settings.pass_seconds), "dry run: decided, and nothing is sent")
    doubt = await open_effect(services.database, scope, order_id, CODE)
    if doubt is not None:
        if record.read_at < doubt.sent_at + timedelta(seconds=DOUBT_SECONDS):
            return await _read_again(turn, claim, "the answer of OR21 was lost; the order is read again")
        async with services.database.work.acquire() as connection:  # it still waits for a decision
            await decide(connection, doubt.id, EffectState.NOT_APPLIED, "still undecided when read again")
    if not turn.still_ours:
        await turn.extend()
    assert record.decided is not None
    decisions: dict[str, bool] = {str(line): yes for line, yes in record.decided.accepted.items()}

    async def write(tx: Transaction) -> EffectId:
        await orders.accept_sent(tx.connection, scope, order_id)
        return await write_sent(
            tx.connection, scope, ORDERS, CODE, EffectClass.STATE, lane=order_id, key=claim.key, doubt=CODE
        )

    effect_id = await services.database.transact(write)
    await fail_point(failpoints.ORDER_ACCEPT_SENT)
    outcome = await services.mirakl[scope].or21_accept_order(
        order_id, decisions, effect_id=str(effect_id), usable_until=turn.usable_until
    )
    await fail_point(failpoints.ORDER_ACCEPT_ANSWERED)
    metrics.effects.labels(scope, ORDERS, CODE, type(outcome).__name__.lower()).inc()
    if isinstance(outcome, Applied):
        services.pauses.resume(scope)
        await services.database.transact(lambda tx: _applied(tx, turn, record, effect_id))
        await fail_point(failpoints.ORDER_ACCEPTED)
        return None
    return await _not_accepted(turn, claim, record, effect_id, outcome)


async def _applied(tx: Transaction, turn: Pass, record: Record, effect_id: EffectId) -> None:
    """Mirakl took our decision: units of refused lines are free again, in every channel."""
    scope, order_id = turn.scope, record.order.order_id
    await decide(tx.connection, effect_id, EffectState.APPLIED)
    await _write_accepted(tx, turn, record, Acceptor.US)
    refused = [line for line in record.order.lines if record.decided and not record.decided.accepted.get(line.line_id)]
    skus = await reservations.free(tx.connection, scope, order_id, refused)
    tx.mark(await offers.marks_for(tx.connection, turn.services.channels(stock_on=True), skus))


async def _not_accepted(
    turn: Pass, claim: Claim, record: Record, effect_id: EffectId, failure: Failure
) -> Verdict | None:
    services = turn.services
    async with services.database.work.acquire() as connection:
        await effects.record(connection, effect_id, failure)
    log.warning("order_not_accepted", scope=turn.scope, key=claim.key, outcome=type(failure).__name__)
    match failure:
        case Unknown():
            return await _read_again(turn, claim, "the answer of OR21 was lost; the order is read again")
        case Refused(reason, _, kind) if kind is not RefusalKind.CREDENTIALS:
            match refusal_code(failure):
                case "ORDER_PARTIAL_ACCEPTANCE_DISABLED":
                    return await _learn_whole(turn, record)
                case "ORDER_INVALID_STATE":  # decided already, cancelled, or about to be seen so
                    if record.read_at > services.clock.now() - timedelta(seconds=DOUBT_SECONDS):
                        return Held(f"Mirakl takes no decision for this order: {reason}")
                    return await _read_again(turn, claim, "Mirakl says that this order needs no decision any more")
                case _:
                    return Held(f"Mirakl refused our decision: {reason}")
        case _:
            return after_failure(failure, claim, services.clock, services.pauses, turn.scope)


async def _learn_whole(turn: Pass, record: Record) -> Verdict | None:
    """The marketplace takes one answer for all lines: remember it, and decide anew (field case 42)."""

    async def steps(tx: Transaction) -> None:
        await mirrors.write_cursor(tx.connection, turn.scope, PARTIAL, False)
        await orders.decide(tx.connection, turn.scope, record.order.order_id, None)

    await turn.services.database.transact(steps)
    return None


async def _read_again(turn: Pass, claim: Claim, why: str) -> Verdict:
    """Have the order read by its id soon; whatever is told marks this key again."""
    clock = turn.services.clock
    await turn.services.database.mark([Mark(turn.scope, READS, claim.key, due_at=clock.after(READ_SECONDS))])
    return Waiting(clock.after(DOUBT_SECONDS * 2), why)


FLOW = Flow(
    name=ORDERS,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=32,
    lane_rank=RANKS[ORDERS],
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    effects=True,
    person_after_seconds=900.0,
    retry_cap_seconds=60.0,
    fail_points=(
        failpoints.ORDER_DECIDED,
        failpoints.ORDER_ACCEPT_SENT,
        failpoints.ORDER_ACCEPT_ANSWERED,
        failpoints.ORDER_ACCEPTED,
    ),
)
