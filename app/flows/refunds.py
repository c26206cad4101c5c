"""What Centra credits the buyer is given back at the marketplace, once and to the cent.

A key is an order, in its lane; its work is the completed returns of its Centra orders. Each becomes one OR28 with the
order's own taxes, never beyond what a line has left. Goods that came back without a return at the marketplace wait for
a person where the channel says so. A return that is changed or undone after its refund is for finance: nothing revokes
a refund.

OR28 gives money back (`after_sale/money`): sent once, decided by reading.
"""

from __future__ import annotations

from app import failpoints
from app.domain.after_sale import Advice, Credit, Given, RefundOrder, Stop
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.flows.after_sale.market import Market, market_of
from app.flows.after_sale.money import OR28, doubt_about, send, until_read
from app.flows.after_sale.turn import Hold, Sale, Step, advance
from app.flows.returns import answered, next_step, walked_of
from app.policies.refund_match import is_given
from app.policies.refunds import RefundPolicy, of_units, refund_for
from app.policies.returns import Act, Action
from app.store.intents import RANKS, Intent, Kind
from app.store.outbox import Claim, Settled, Verdict
from app.store.returns import Walked


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Give back what one order's returns in Centra credit."""
    return await advance(turn, Kind.REFUND, _step)


async def _step(sale: Sale, intent: Intent) -> Step:
    credit = intent.read(Credit)
    doubtful = await doubt_about(sale, intent)
    if doubtful is not None:
        return doubtful
    if given := intent.answer(tuple[Given, ...]):
        if credit.completed and is_given(credit, given, sale.order):
            return await sale.end(intent, None, "the return credits what was given back")
        words = "the return is changed in Centra after its refund" if credit.completed else "the return is undone"
        return Hold(Stop(f"{words}, and no call takes a refund back", Advice.BY_HAND), Team.FINANCE)
    if not credit.completed:
        return await sale.end(intent, None, "the return was taken back in Centra before it was refunded")
    market = await market_of(sale.services, sale.scope)
    walked = await walked_of(sale)
    announced = answered(credit, walked)
    if announced is None and market.has_returns and not _lets_go(sale, intent):
        words = "goods came back that no return at the marketplace announced: refund them?"
        return Hold(Stop(words, Advice.LET_GO, {"return in Centra": str(credit.return_id)}), Team.CUSTOMER_SERVICE)
    if announced is not None and not _is_due(sale, announced) and intent.approved_by is None:
        return Settled()  # the flow `returns` marks it when the steps before it are taken
    if (waits := await until_read(sale, intent)) is not None:
        return waits
    lines = _lines(sale, credit, market, announced.facts.reason if announced else "")
    if isinstance(lines, Stop):
        return Hold(lines, Team.FINANCE)
    if not lines:
        return await sale.end(intent, (), "nothing is left to give back after the fee")
    return await send(sale, intent, OR28, lines)


def _lets_go(sale: Sale, intent: Intent) -> bool:
    returns_ = sale.settings.returns
    return not returns_.on or returns_.unannounced == "refund" or intent.approved_by is not None


def _is_due(sale: Sale, announced: Walked) -> bool:
    return Action.REFUND in announced.taken or next_step(sale, announced) == Act(Action.REFUND)


def _lines(sale: Sale, credit: Credit, market: Market, reason: str) -> tuple[RefundOrder, ...] | Stop:
    settings = sale.settings
    policy = RefundPolicy(settings.refund_reason, settings.refund_reason_by_return, settings.name_taxes)
    if not credit.returnless:
        return refund_for(credit, sale.order, sale.taken, policy, market.tax_rules, return_reason=reason)
    units = {line.line_id: line.quantity for line in credit.lines}
    why = policy.by_return_reason.get(reason, policy.reason)
    return of_units(sale.order, units, sale.taken, why, policy.unnamed(market.tax_rules))


FLOW = Flow(
    name=Kind.REFUND.flow,
    team=Team.FINANCE,
    scoped="channel",
    work=work,
    at_once=16,
    lane_rank=RANKS[Kind.REFUND],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=3600.0,
    retry_cap_seconds=60.0,
    fail_points=(failpoints.MONEY_SENT, failpoints.MONEY_ANSWERED, failpoints.MONEY_WRITTEN),
)
