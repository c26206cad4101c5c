"""What Centra will not ship is told to the marketplace: as a cancel, or as a refund of units that were never shipped.

A key is an order, in its lane; its work is the cancellation of its lines in Centra, as a total for each. Before it is
paid, the whole order is cancelled by OR29 and single lines by OR30, where the operator allows that; what is paid
is paid back by OR28 and leaves what is to be shipped. What the marketplace cancelled first needs nothing.

OR29 is a *state* effect, decided by the order as read again; OR28 and OR30 give money back (`after_sale/money`).
"""

from __future__ import annotations

from typing import assert_never

from app import failpoints
from app.domain.after_sale import Cancelled, Given, Stop
from app.domain.orders import OrderState
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.failpoints import fail_point
from app.flows.after_sale.market import market_of
from app.flows.after_sale.money import OR28, OR30, doubt_about, send, until_read
from app.flows.after_sale.turn import Hold, Sale, Step, advance
from app.policies.cancellations import CancelPolicy, Part, Refund, Whole, how_to_cancel
from app.policies.order_steps import Wait
from app.policies.refunds import RefundPolicy
from app.store.effects import EffectClass, EffectState, decide
from app.store.intents import RANKS, Intent, Kind
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.wire.outcome import Applied, Unknown

OR29 = "OR29"
SEEN_SECONDS = 15.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Tell the marketplace what of one order will not be shipped."""
    return await advance(turn, Kind.CANCELLATION, _step)


async def _step(sale: Sale, intent: Intent) -> Step:
    doubtful = await doubt_about(sale, intent)
    if doubtful is not None:
        return doubtful
    if (waits := await until_read(sale, intent)) is not None:
        return waits
    how = how_to_cancel(
        sale.order,
        intent.read(tuple[Cancelled, ...]),
        sale.taken,
        await _policy(sale),
        or30=sale.settings.or30,
        sent=sale.shipped_units,
        excluded=sale.excluded,
        returned=sale.returned,
    )
    match how:
        case None:
            given = intent.answer(tuple[Given, ...])
            return await sale.end(intent, given, "the marketplace has it as cancelled")
        case Whole():
            return await _cancel_whole(sale, intent)
        case Part(lines):
            return await send(sale, intent, OR30, lines)
        case Refund(lines):
            return await send(sale, intent, OR28, lines)
        case Wait():
            return sale.waits(how)
        case Stop():
            return Hold(how, Team.CUSTOMER_SERVICE)
    assert_never(how)


async def _policy(sale: Sale) -> CancelPolicy:
    settings, market = sale.settings, await market_of(sale.services, sale.scope)
    return CancelPolicy(
        cancel_reason=settings.cancel_reason,
        refund_reason=settings.not_shipped_reason,
        order_level_taxes=settings.order_level_taxes,
        refunds=RefundPolicy(name_proportional=settings.name_taxes),
        tax_rules=market.tax_rules,
    )


async def _cancel_whole(sale: Sale, intent: Intent) -> Step:
    """OR29; asked again after a lost answer, and whether it was taken is seen by the order as read again."""
    effect_id = await sale.call_again(OR29, EffectClass.STATE, intent)
    outcome = await sale.services.mirakl[sale.scope].or29_cancel_order(
        sale.order_id, effect_id=str(effect_id), usable_until=sale.turn.usable_until
    )
    await fail_point(failpoints.CANCEL_ANSWERED)
    if isinstance(outcome, Applied):
        sale.count(OR29, outcome)

        async def steps(tx: Transaction) -> None:
            await decide(tx.connection, effect_id, EffectState.APPLIED)
            await sale.done(tx, intent, (Given(OR29),), "the whole order is cancelled at the marketplace")

        await sale.write(steps)
        await sale.ask_read(1.0)
        return Settled()
    await sale.call_ended(effect_id, OR29, outcome)
    if isinstance(outcome, Unknown):
        return await sale.ask_read(SEEN_SECONDS)
    if sale.order.state != OrderState.CANCELED and (sale.now - sale.record.read_at).total_seconds() > SEEN_SECONDS:
        return await sale.ask_read()  # it may have moved on since it was read
    return sale.failed(outcome, sale.scope, "the marketplace does not cancel the order", Team.CUSTOMER_SERVICE)


FLOW = Flow(
    name=Kind.CANCELLATION.flow,
    team=Team.CUSTOMER_SERVICE,
    scoped="channel",
    work=work,
    at_once=16,
    lane_rank=RANKS[Kind.CANCELLATION],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=3600.0,
    retry_cap_seconds=60.0,
    fail_points=(failpoints.CANCEL_ANSWERED,),
)
