"""An order gets into Centra exactly once, blocked, and is let go when the marketplace says that it may be shipped.

A key is Mirakl's order id, in the order's lane. Steps (business rules 12 to 17): create without placing, store the
number under our claim, give Centra our id, place it blocked, read it back, release, confirm; or cancel it when the
marketplace did. Only placing makes an order, and only the stored number is ever placed. The steps that take more than a
few lines stand beside this file: `entry/create`, `entry/check`, `entry/cancel`.

The create is a *create* effect, decided by looking for our mark in Centra; everything after it is a *state* or *safe*
effect on the stored number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app import failpoints
from app.centra.order_entry import completion
from app.domain.progress import EntryCall
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.failpoints import fail_point
from app.flows.entry.cancel import cancel, cancel_lines
from app.flows.entry.check import check, note_parts
from app.flows.entry.create import create
from app.flows.entry.read_back import read_back
from app.flows.entry.rest import rest
from app.flows.entry.turn import Turn
from app.flows.orders import step_policy
from app.policies.order_entry import reference
from app.policies.order_steps import Ask, EntryAction, Wait, next_entry_step
from app.store import orders
from app.store.effects import EffectClass, audit
from app.store.orders import ORDER_ENTRY, RANKS
from app.store.outbox import Claim, Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused

GATHER_SECONDS = 0.03
MOST_STEPS = 12


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Take one order's entry as far as it goes now."""
    claim = turn.claims[0]
    return {claim: await _advance(turn, claim)}


async def _advance(turn: Pass, claim: Claim) -> Verdict:
    services, settings = turn.services, turn.services.channel(turn.scope).orders
    paused = services.pauses.seconds_left(services.source)
    if paused:
        until = services.clock.after(min(paused, 5.0) * services.clock.scale)
        return Postponed(until, "Centra refuses our credentials; they must be mended", called=False)
    for _ in range(MOST_STEPS):
        async with services.database.work.acquire() as connection:
            record = await orders.read(connection, turn.scope, claim.key)
        if record is None:
            return Settled()
        step = next_entry_step(record, step_policy(services.channel(turn.scope)), services.clock.now())
        one = Turn(turn, claim, record, settings)
        match step:
            case None:
                verdict = await rest(one)
            case Wait(reason, seconds):
                return Waiting(services.clock.after(seconds or 60.0), reason)
            case Ask(reason):
                return Held(reason)
            case EntryAction():
                if not settings.acts:
                    return Settled()
                if not turn.still_ours:
                    await turn.extend()
                verdict = await _STEPS[step](one)
        if verdict is not None:
            return verdict
    return Waiting(services.clock.after(1), "goes on")


# ------------------------------------------------------------------------------------------------------- placing


async def _convert(one: Turn) -> Verdict | None:
    """Give Centra our id of the order; a *safe* effect, asked for many orders together."""
    number = one.record.number
    assert number is not None

    async def call(pairs: list[tuple[int, str]]) -> dict[tuple[int, str], Outcome[None]]:
        answer = await one.services.centra.set_id_conversions(dict(pairs))
        if not isinstance(answer, Applied):
            return dict.fromkeys(pairs, answer)
        words = "; ".join(error.message for error in answer.value.errors)[:300]
        missing: Outcome[None] = Refused(f"no conversion: {words}", 200, RefusalKind.USER_ERRORS)
        return {pair: Applied(None) if pair[0] in answer.value.external_ids else missing for pair in pairs}

    key = (int(number), reference(one.scope, one.record.order.order_id))
    outcome = await one.services.together.ask("conversions", key, call, seconds=GATHER_SECONDS)
    if not isinstance(outcome, Applied):
        return one.refused(outcome, "Centra does not take our order id")
    await one.write(lambda tx: orders.converted(tx.connection, one.scope, one.order_id))
    await fail_point(failpoints.ENTRY_CONVERTED)
    return None


async def _complete(one: Turn) -> Verdict | None:
    """Place the order, blocked: it is let go once it was read back, and the marketplace says that it may be shipped."""
    if one.settings.block == "hold" and (verdict := await _hold(one)) is not None:
        return verdict
    outcome = await _complete_all(one, EntryCall.COMPLETE, paid=one.settings.block == "hold")
    await fail_point(failpoints.ENTRY_COMPLETE_ANSWERED)
    if not isinstance(outcome, Applied):
        return one.refused(outcome, "Centra does not place the order")
    await one.write(lambda tx: orders.completed(tx.connection, one.scope, one.order_id, blocked=True))
    await fail_point(failpoints.ENTRY_COMPLETED)
    return None


async def _complete_all(one: Turn, code: EntryCall, *, paid: bool) -> Outcome[None]:
    """Complete the order and its parts; a state effect on stored numbers, so a lost answer is simply asked again."""
    assert one.record.number is not None
    assert one.services.order_api is not None
    body = completion(
        one.record.order, reference(one.scope, one.record.order.order_id), one.settings.payment, paid=paid
    )
    for number in (one.record.number, *one.record.parts):
        effect_id = await one.sent(code, EffectClass.STATE)
        outcome = await one.services.order_api.complete_order(
            number, body, effect_id=str(effect_id), usable_until=one.turn.usable_until
        )
        await one.decided(effect_id, code, outcome)
        if not isinstance(outcome, Applied):
            return outcome
        await note_parts(one, outcome.value)
    return Applied(None)


# --------------------------------------------------------------------------------------- releasing and cancelling


async def _hold_in_centra(one: Turn) -> Verdict | None:
    """An order that should be blocked is not: hold it at once, and say so (business rule 14)."""
    metrics.not_blocked.labels(one.scope).inc()
    log.error("found_unblocked", scope=one.scope, key=one.order_id)
    verdict = await _hold(one)
    return verdict if verdict is not None else await check(one)


async def _hold(one: Turn, *, on: bool = True) -> Verdict | None:
    assert one.record.number is not None
    for number in (one.record.number, *one.record.parts):
        why = "waits for the marketplace's release" if on else "released by the marketplace"
        effect_id = await one.sent(EntryCall.HOLD, EffectClass.STATE)
        outcome = await one.services.centra.hold_order(
            number, on, why, effect_id=str(effect_id), usable_until=one.turn.usable_until
        )
        await one.decided(effect_id, EntryCall.HOLD, outcome)
        if not isinstance(outcome, Applied):
            return one.refused(outcome, "Centra does not hold the order" if on else "Centra does not let it go")
    return None


async def _release(one: Turn) -> Verdict | None:
    """The marketplace lets it be shipped: unblock it."""
    entry = one.record.entry
    if entry is not None and entry.held and (verdict := await _hold(one, on=False)) is not None:
        return verdict
    outcome = await _complete_all(one, EntryCall.RELEASE, paid=True)
    await fail_point(failpoints.ENTRY_RELEASE_ANSWERED)
    if not isinstance(outcome, Applied):
        return one.refused(outcome, "Centra does not unblock the order")

    async def steps(tx: Transaction) -> None:
        await orders.completed(tx.connection, one.scope, one.order_id, blocked=False)
        await audit(tx.connection, one.scope, ORDER_ENTRY, f"order:{one.order_id}", "blocked", "released", None)
        tx.mark([one.orders_next])

    await one.write(steps)
    return None


async def _confirm(one: Turn) -> Verdict | None:
    assert one.record.number is not None
    for number in (one.record.number, *one.record.parts):
        effect_id = await one.sent(EntryCall.CONFIRM, EffectClass.STATE)
        outcome = await one.services.centra.confirm_order(
            number, effect_id=str(effect_id), usable_until=one.turn.usable_until
        )
        await fail_point(failpoints.ENTRY_CONFIRM_ANSWERED)
        await one.decided(effect_id, EntryCall.CONFIRM, outcome)
        if isinstance(outcome, Refused) and outcome.kind is RefusalKind.USER_ERRORS:
            state = await read_back(one.services, one.scope, one.record)  # confirmed already, or on its way further
            if not isinstance(state, Applied) or state.value.entry.status == "PENDING":
                return Held(f"Centra does not confirm the order: {outcome.reason}")
        elif not isinstance(outcome, Applied):
            return one.failed(outcome)

    async def steps(tx: Transaction) -> None:
        await orders.confirmed(tx.connection, one.scope, one.order_id)
        tx.mark([one.orders_next])

    await one.write(steps)
    return None


_STEPS: dict[EntryAction, Callable[[Turn], Awaitable[Verdict | None]]] = {
    EntryAction.CREATE: create,
    EntryAction.CONVERT: _convert,
    EntryAction.COMPLETE: _complete,
    EntryAction.CHECK: check,
    EntryAction.HOLD_IN_CENTRA: _hold_in_centra,
    EntryAction.RELEASE: _release,
    EntryAction.CONFIRM: _confirm,
    EntryAction.CANCEL: cancel,
    EntryAction.CANCEL_LINES: cancel_lines,
}

FLOW = Flow(
    name=ORDER_ENTRY,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    at_once=32,
    lane_rank=RANKS[ORDER_ENTRY],
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
    effects=True,
    person_after_seconds=900.0,
    retry_cap_seconds=60.0,
    fail_points=(
        failpoints.ENTRY_CREATE_SENT,
        failpoints.ENTRY_CREATE_ANSWERED,
        failpoints.ENTRY_NUMBERED,
        failpoints.ENTRY_CONVERTED,
        failpoints.ENTRY_COMPLETE_ANSWERED,
        failpoints.ENTRY_COMPLETED,
        failpoints.ENTRY_CHECKED,
        failpoints.ENTRY_RELEASE_ANSWERED,
        failpoints.ENTRY_CONFIRM_ANSWERED,
    ),
)
