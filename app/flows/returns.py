"""A return at the marketplace and its counterpart in Centra are walked to their common end.

A key is an order, in its lane; its work is its returns that have not ended. Accept, expect in Centra, receive, check,
refund, close: which step is missing follows from both sides (`policies/returns`), whatever order the facts came in. The
money itself is the flow `refunds`; a return waits for it.

RT21, RT25, RT26 and RT27 are *state* effects: a step that was taken already is refused, and the return is read again.
The return in Centra is a *create* effect (`after_sale/centra_return`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

from app import failpoints
from app.domain.after_sale import Advice, Credit, ReturnedLine, Stop
from app.domain.ids import OrderLineId
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.failpoints import fail_point
from app.flows.after_sale.centra_return import Made, make_return
from app.flows.after_sale.turn import Hold, Sale, load
from app.flows.return_intake import store_returns
from app.mirakl.after_schema import LineCheck, ReturnCheck, ReturnDecision
from app.policies.order_steps import Wait
from app.policies.returns import (
    LET_GO,
    Act,
    Action,
    CentraReturn,
    Done,
    ReturnPolicy,
    ReturnStep,
    answers,
    next_return_step,
)
from app.store import intents, returns
from app.store.effects import EffectClass
from app.store.intents import RANKS, Intent, Kind, State
from app.store.outbox import Claim, Held, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.store.returns import Walked
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused, Unknown

CODES = {
    Action.ACCEPT: "RT21",
    Action.REJECT: "RT21",
    Action.RECEIVE: "RT25",
    Action.COMPLY: "RT26",
    Action.CLOSE: "RT27",
}
SEEN_SECONDS = 15.0
MOST_STEPS = 8


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Walk every return of one order as far as it goes now."""
    claim = turn.claims[0]
    sale = await load(turn, claim)
    if sale is None or not sale.settings.acts:
        return {}
    left = [walked.return_id for walked in await walked_of(sale) if walked.ended_at is None]
    verdicts = [await _walk(sale, return_id) for return_id in left]
    timed = [verdict for verdict in verdicts if isinstance(verdict, Waiting | Postponed)]
    if timed:
        return {claim: min(timed, key=lambda verdict: verdict.until)}
    await sale.calls_seen(applied=not any(isinstance(verdict, Held) for verdict in verdicts))
    return {claim: next((verdict for verdict in verdicts if isinstance(verdict, Held)), Settled())}


async def _walk(sale: Sale, return_id: str) -> Verdict:
    for _ in range(MOST_STEPS):
        sale = await load(sale.turn, sale.claim) or sale
        walked = next(one for one in await walked_of(sale) if one.return_id == return_id)
        step = next_step(sale, walked)
        match step:
            case Done(reason):
                await _note(sale, walked, reason, ended=True)
                return Settled()
            case Wait():
                await _note(sale, walked, step.reason)
                return Settled() if step.seconds is None else Waiting(sale.after(step.seconds), step.reason)
            case Stop():
                return await _hold(sale, walked, step)
            case Act():
                taken = await _act(sale, walked, step)
            case _:
                assert_never(step)
        if isinstance(taken, Hold):
            return await _hold(sale, walked, taken.stop)
        if taken is not None:
            return taken
    return Waiting(sale.after(1), "goes on")


async def walked_of(sale: Sale) -> list[Walked]:
    """The marketplace's returns of the order."""
    async with sale.services.database.work.acquire() as connection:
        return await returns.of_order(connection, sale.scope, sale.order_id)


def answered(credit: Credit, walked: Sequence[Walked]) -> Walked | None:
    """The marketplace's return that a credit of Centra answers."""
    found = answers(credit, [one.facts for one in walked])
    return next((one for one in walked if one.facts is found), None)


def next_step(sale: Sale, walked: Walked) -> ReturnStep:
    """What the return needs next, from both sides."""
    back: Counter[OrderLineId] | None = None
    for intent in sale.of(Kind.REFUND):
        credit = intent.read(Credit)
        if credit.completed and not credit.returnless and answers(credit, [walked.facts]) is walked.facts:
            back = back or Counter()
            for line in credit.lines:
                back[line.line_id] += line.quantity
    return next_return_step(walked.facts, CentraReturn(back=back), _policy(sale, walked), walked.taken)


def _policy(sale: Sale, walked: Walked) -> ReturnPolicy:
    if walked.approved_by is not None:
        return LET_GO
    settings = sale.settings.returns
    return ReturnPolicy(
        accept=settings.accept,
        rejection=settings.rejection,
        expect=settings.expect,
        missing=settings.missing,
        returnless=settings.returnless,
        late=settings.late,
    )


async def _act(sale: Sale, walked: Walked, step: Act) -> Verdict | Hold | None:
    """Take one step; None when it is done and the next may follow at once."""
    match step.action:
        case Action.EXPECT:
            return await _expect(sale, walked)
        case Action.REFUND:
            return await _refunded(sale, walked)
        case Action.ACCEPT | Action.REJECT | Action.RECEIVE | Action.COMPLY | Action.CLOSE:
            return await _tell(sale, walked, step)
    assert_never(step.action)


async def _tell(sale: Sale, walked: Walked, step: Act) -> Verdict | Hold | None:
    code = CODES[step.action]
    effect_id = await sale.call_again(code, EffectClass.STATE)
    outcome = await _call(sale, walked, step, str(effect_id))
    await fail_point(failpoints.RETURN_ANSWERED)
    await sale.call_ended(effect_id, code, outcome)
    match outcome:
        case Applied():
            await _take(sale, walked, step.action)
            return None
        case Unknown():
            return Waiting(sale.after(SEEN_SECONDS), f"the answer of {code} was lost; it is asked again")
        case Refused(_, _, kind) if kind is not RefusalKind.CREDENTIALS:
            return await _refused(sale, walked, outcome, step)
        case _:
            return sale.failed(outcome, sale.scope, "a step of the return was not taken", Team.CUSTOMER_SERVICE)


async def _call(sale: Sale, walked: Walked, step: Act, effect_id: str) -> Outcome[None]:
    mirakl, until, id_ = sale.services.mirakl[sale.scope], sale.turn.usable_until, walked.return_id
    match step.action:
        case Action.RECEIVE:
            answer = await mirakl.rt25_receive_returns([id_], effect_id=effect_id, usable_until=until)
        case Action.CLOSE:
            answer = await mirakl.rt27_close_returns([id_], effect_id=effect_id, usable_until=until)
        case Action.COMPLY:
            lines = tuple(
                LineCheck(order_line_id=line, compliant=ok, non_compliance_reason_code="" if ok else step.reason)
                for line, ok in sorted(step.lines.items())
            )
            check = ReturnCheck(id=id_, return_lines=lines)
            answer = await mirakl.rt26_check_returns([check], effect_id=effect_id, usable_until=until)
        case _:
            accepted = step.action is Action.ACCEPT
            decision = ReturnDecision(id=id_, accepted=accepted, rejection_reason_code=step.reason)
            answer = await mirakl.rt21_decide_returns([decision], effect_id=effect_id, usable_until=until)
    return answer.value[id_] if isinstance(answer, Applied) else answer


async def _refused(sale: Sale, walked: Walked, refused: Refused, step: Act) -> Verdict | Hold | None:
    """A step that was taken already is refused as well: what the return shows when it is read again decides."""
    began = sale.now
    answer = await sale.services.mirakl[sale.scope].rt11_list_returns(return_ids=[walked.return_id])
    if not isinstance(answer, Applied):
        return sale.failed(answer, sale.scope, "the return can't be read", Team.CUSTOMER_SERVICE)
    changed = await store_returns(sale.services, sale.scope, answer.value.rows, began)
    if changed:
        return None
    words = f"the marketplace does not take the step {step.action.value!r} of the return: {refused.reason}"
    return Hold(Stop(words, Advice.BY_HAND), Team.CUSTOMER_SERVICE)


async def _expect(sale: Sale, walked: Walked) -> Verdict | Hold | None:
    """A pending return in Centra, so that the warehouse knows what comes."""
    units = {line.line_id: line.quantity for line in walked.facts.lines}
    made = await make_return(sale, walked.return_id, units, f"return {walked.return_id} of the marketplace")
    if not isinstance(made, Made):
        return made
    await _take(sale, walked, Action.EXPECT, f"return {made.id} in Centra")
    return None


async def _refunded(sale: Sale, walked: Walked) -> Verdict | None:
    """The refund is another flow's work: it is marked, and marks this one when it is done."""
    mine = [intent for intent in sale.of(Kind.REFUND) if _belongs(intent, walked)]
    if mine and all(intent.state is State.DONE for intent in mine):
        await _take(sale, walked, Action.REFUND)
        return None

    async def steps(tx: Transaction) -> None:
        if not mine:  # goods that stay with the buyer: nothing in Centra says what they are worth
            lines = tuple(ReturnedLine(line.line_id, line.quantity, Decimal(0)) for line in walked.facts.lines)
            credit = Credit(
                return_id=0,
                order_number=sale.record.number or 0,
                completed=True,
                lines=lines,
                currency=sale.order.currency,
                reference=walked.return_id,
                returnless=True,
            )
            source = f"mirakl:return:{walked.return_id}"
            await intents.note(
                tx.connection,
                sale.scope,
                Kind.REFUND,
                source,
                sale.order_id,
                credit,
                sale.now,
                currency=sale.order.currency,
            )
        tx.mark([intents.mark_of(sale.scope, Kind.REFUND, sale.order_id)])

    await sale.write(steps)
    await _note(sale, walked, "its refund is under way")
    return Settled()


def _belongs(intent: Intent, walked: Walked) -> bool:
    credit = intent.read(Credit)
    return credit.completed and answers(credit, [walked.facts]) is walked.facts


async def _take(sale: Sale, walked: Walked, action: Action, words: str = "") -> None:
    async def steps(tx: Transaction) -> None:
        await returns.take(tx.connection, sale.scope, walked.return_id, action, words)
        tx.mark(await intents.marks(tx.connection, sale.scope, [sale.order_id], but=Kind.RETURN))

    await sale.write(steps)


async def _note(sale: Sale, walked: Walked, words: str, *, ended: bool = False) -> None:
    async with sale.services.database.work.acquire() as connection:
        note = returns.end if ended else returns.goes_on
        await note(connection, sale.scope, walked.return_id, words)


async def _hold(sale: Sale, walked: Walked, stop: Stop) -> Held:
    async with sale.services.database.work.acquire() as connection:
        await returns.hold(connection, sale.scope, walked.return_id, stop, Team.CUSTOMER_SERVICE)
    return Held(stop.reason)


FLOW = Flow(
    name=Kind.RETURN.flow,
    team=Team.CUSTOMER_SERVICE,
    scoped="channel",
    work=work,
    at_once=16,
    lane_rank=RANKS[Kind.RETURN],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=3600.0,
    retry_cap_seconds=60.0,
    fail_points=(failpoints.RETURN_ANSWERED,),
)
