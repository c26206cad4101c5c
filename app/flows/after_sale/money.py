"""Money is given back at the marketplace once: OR28 and OR30, which have no idempotency key.

One such call about an order may be in doubt. Before it the order was read after the intent came, and the refunds that
it shows are kept with the call. A lost answer is decided by reading the order again, up to 20 minutes later: exactly
one new refund for each line that equals ours is ours; anything near is for a person; nothing at all is sent again only
where the channel allows it, else a person decides as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

import msgspec

from app import failpoints
from app.domain.after_sale import Advice, Given, RefundOrder, Stop
from app.domain.ids import EffectId
from app.domain.orders import Order, Refunded
from app.domain.teams import Team
from app.failpoints import fail_point
from app.flows.after_sale.turn import DAY, Hold, Sale, Step
from app.mirakl.refunds import cancelation_line, refund_line, refund_refusal
from app.policies.order_steps import Wait
from app.policies.refund_match import Found, Near, Nothing, applied, match
from app.policies.refunds import kind_of_stop
from app.store.effects import EffectState, OneDoubt, OpenDoubtError, decide
from app.store.intents import Intent, Kind, State
from app.store.outbox import Settled, Waiting
from app.store.pool import Transaction
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, Outcome, RefusalKind, Refused, Unknown

MONEY = "money"
OR28, OR30 = "OR28", "OR30"
LOOKS_SECONDS = (15.0, 60.0, 180.0, 600.0, 1200.0)
"""App seconds after a lost answer at which the order is read; nobody applies a request later than half of the last."""
ANOTHER_SECONDS, DECIDED_SECONDS = 30.0, 3600.0
"""After which work behind a doubt looks again: one that is decided by reading, and one that waits for a person."""


@dataclass(frozen=True, slots=True)
class Before:
    """What is kept with a call: the ids that the order showed or that we were told, and what was asked for."""

    ids: frozenset[str]
    lines: tuple[RefundOrder, ...]


async def doubt_about(sale: Sale, intent: Intent) -> Step | None:
    """What follows while a call about the order's money is in doubt; None: none is."""
    doubt = await sale.doubt(MONEY)
    if doubt is None:
        return None
    if doubt.intent != intent.id:  # a person's decision marks whatever is open about the order
        seconds = DECIDED_SECONDS if doubt.held else ANOTHER_SECONDS
        return Waiting(sale.after(seconds), "another refund of the order is in doubt")
    if doubt.held:
        return Hold(Stop(intent.reason or "nobody knows whether it was given back", Advice.DECIDE), Team.FINANCE)
    return await _look(sale, intent, doubt)


async def _look(sale: Sale, intent: Intent, doubt: OneDoubt) -> Step:
    """Decide a doubt by the order as it was read after the call."""
    before = msgspec.json.decode(doubt.snapshot, type=Before)
    since = (sale.record.read_at - doubt.sent_at).total_seconds()
    if since >= LOOKS_SECONDS[0]:
        found = match(before.lines, before.ids, _shown(sale.order, doubt.code), currency=sale.order.currency)
        match found:
            case Found(ids):
                log.info("money_found", scope=sale.scope, key=sale.order_id, code=doubt.code)
                given = _made(sale.order, doubt.code, before, ids)
                return await _given(sale, intent, doubt.id, given, "found when the order was read again")
            case Near(words):
                return await _undecided(sale, doubt, words)
            case Nothing():
                if since >= LOOKS_SECONDS[-1]:
                    return await _absent(sale, doubt)
            case _:
                assert_never(found)
    asked = (sale.now - doubt.sent_at).total_seconds()
    later = next((seconds for seconds in LOOKS_SECONDS if seconds > max(since, 0.0)), LOOKS_SECONDS[-1])
    return await sale.ask_read(max(1.0, later - asked))


async def _absent(sale: Sale, doubt: OneDoubt) -> Step:
    if not sale.settings.resend_refunds:
        words = f"the answer of {doubt.code} was lost, and 20 minutes later the marketplace does not show it"
        return await _undecided(sale, doubt, words)
    await sale.decided(doubt, EffectState.NOT_APPLIED, "not there after 20 minutes; it may be sent again")
    return Waiting(sale.now, "it is sent again")


async def _undecided(sale: Sale, doubt: OneDoubt, words: str) -> Hold:
    await sale.decided(doubt, EffectState.HELD, words)
    return Hold(Stop(words, Advice.DECIDE, {"call": str(doubt.id)}), Team.FINANCE)


def _shown(order: Order, code: str) -> list[Refunded]:
    """What the order shows of the kind of thing that a call makes."""
    taken = [entry for line in order.lines for entry in line.taken]
    return [replace(entry, cancelation=False) for entry in taken if entry.cancelation == (code == OR30)]


def given_since(order: Order, doubt: OneDoubt) -> Given:
    """What a call in doubt gave, as far as the order shows it, once a person says that it was applied."""
    before = msgspec.json.decode(doubt.snapshot, type=Before)
    shown = _shown(order, doubt.code)
    ids = applied(before.lines, before.ids, shown, currency=order.currency)
    return _made(order, doubt.code, before, ids)


def _made(order: Order, code: str, before: Before, ids: tuple[str, ...]) -> Given:
    """What a call gave, by the ids that the order shows of it."""
    groups = {entry.group for entry in _shown(order, code) if entry.refund_id in ids and entry.group}
    return Given(code, ids, tuple(sorted(groups)), before.lines)


async def until_read(sale: Sale, intent: Intent) -> Waiting | None:
    """None once the order was read at the marketplace after the intent came, and shows what was given back before it:
    then it is known what it has left. What is not shown for as long as a doubt lasts is not waited for.
    """
    if sale.record.read_at <= intent.changed_at:
        return await sale.ask_read()
    shown = {entry.refund_id for entry in sale.taken}
    late = timedelta(seconds=LOOKS_SECONDS[-1])
    if all(shown.issuperset(_ids(one)) or sale.record.read_at > one.changed_at + late for one in sale.intents):
        return None
    return await sale.ask_read(LOOKS_SECONDS[0])


def _ids(intent: Intent) -> set[str]:
    """What calls of ours gave for it."""
    if intent.kind not in (Kind.REFUND, Kind.CANCELLATION):
        return set()
    return {id_ for given in intent.answer(tuple[Given, ...]) or () for id_ in given.ids}


async def send(sale: Sale, intent: Intent, code: str, lines: Sequence[RefundOrder]) -> Step:
    """Give this back, once."""
    if intent.state is State.HELD and intent.advice is Advice.RETRY_DAILY and intent.held_at is not None:
        again_at = intent.held_at + DAY
        if sale.now < again_at:
            return Hold(Stop(intent.reason or "", Advice.RETRY_DAILY), Team.FINANCE, again_at)
    ours = {id_ for given in sale.given for id_ in given.ids}
    if intent.approved_by is None and (equal := _equal_there(sale, ours, code, lines)):
        words = "the marketplace shows an equal refund that nobody here made: is it this one?"
        return Hold(Stop(words, Advice.LET_GO, {"refund": ", ".join(equal)}), Team.FINANCE)
    before = Before(frozenset(ours | {entry.refund_id for entry in _shown(sale.order, code)}), tuple(lines))
    try:
        effect_id = await sale.call_once(code, MONEY, intent, before)
    except OpenDoubtError:
        return Waiting(sale.after(ANOTHER_SECONDS), "another refund of the order is in doubt")
    await fail_point(failpoints.MONEY_SENT)
    outcome = await _call(sale, code, lines, effect_id)
    await fail_point(failpoints.MONEY_ANSWERED)
    if isinstance(outcome, Applied):
        sale.count(code, outcome)
        step = await _given(sale, intent, effect_id, outcome.value, "given back")
        await fail_point(failpoints.MONEY_WRITTEN)
        return step
    return await _not_given(sale, intent, effect_id, code, outcome)


def _equal_there(sale: Sale, ours: set[str], code: str, lines: Sequence[RefundOrder]) -> tuple[str, ...]:
    """Refunds that equal these to the reason, which nobody can explain: made by hand, or by us before a restore."""
    settled = (one.read(Refunded).refund_id for one in sale.of(Kind.CREDIT) if one.state is State.DONE)
    found = match(lines, frozenset({*ours, *settled}), _shown(sale.order, code), currency=sale.order.currency)
    return found.refund_ids if isinstance(found, Found) else ()


async def _call(sale: Sale, code: str, lines: Sequence[RefundOrder], effect_id: EffectId) -> Outcome[Given]:
    mirakl, mode = sale.services.mirakl[sale.scope], sale.order.tax_mode
    usable_until = sale.turn.usable_until
    if code == OR28:
        refunded = await mirakl.or28_refund(
            [refund_line(line) for line in lines], mode, effect_id=str(effect_id), usable_until=usable_until
        )
        if not isinstance(refunded, Applied):
            return refunded
        made = refunded.value.refunds
        groups = tuple(sorted({refund.order_refund_id for refund in made}))
        return Applied(Given(code, tuple(refund.refund_id for refund in made), groups, tuple(lines)))
    cancelled = await mirakl.or30_cancel(
        [cancelation_line(line) for line in lines], mode, effect_id=str(effect_id), usable_until=usable_until
    )
    if not isinstance(cancelled, Applied):
        return cancelled
    return Applied(Given(code, tuple(c.cancelation_id for c in cancelled.value.cancelations), (), tuple(lines)))


async def _given(sale: Sale, intent: Intent, effect_id: EffectId, given: Given, words: str) -> Step:
    """It is done: the ids of both systems, amounts and reasons are stored with it."""
    earlier = intent.answer(tuple[Given, ...]) or ()
    money = sum((line.amount + line.shipping for line in given.lines), start=given.lines[0].amount * 0)
    text = (
        f"{words} by {given.code} as {', '.join(given.ids)} (group {', '.join(given.groups) or 'none'}):"
        f" {money} {sale.order.currency} and taxes, reason {given.lines[0].reason}"
    )

    async def steps(tx: Transaction) -> None:
        await decide(tx.connection, effect_id, EffectState.APPLIED, text)
        await sale.done(tx, intent, (*earlier, given), text)

    await sale.write(steps)
    await sale.ask_read(1.0)
    return Settled()


async def _not_given(sale: Sale, intent: Intent, effect_id: EffectId, code: str, failure: Failure) -> Step:
    await sale.call_ended(effect_id, code, failure)
    log.warning("money_not_given", scope=sale.scope, key=sale.order_id, code=code, outcome=type(failure).__name__)
    if isinstance(failure, Unknown):
        return await sale.ask_read(LOOKS_SECONDS[0])
    if not isinstance(failure, Refused) or failure.kind is RefusalKind.CREDENTIALS:
        return sale.failed(failure, sale.scope, f"{code} was not sent", Team.FINANCE)
    if code == OR30:
        return sale.failed(failure, sale.scope, "the marketplace does not cancel these units", Team.OPERATIONS)
    found = kind_of_stop(refund_refusal(failure).name, failure.reason)
    if isinstance(found, Wait):
        return Waiting(sale.after(found.seconds or LOOKS_SECONDS[-1]), found.reason)
    return Hold(found, Team.FINANCE, sale.now + DAY if found.advice is Advice.RETRY_DAILY else None)
