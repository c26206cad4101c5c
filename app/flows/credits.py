"""Money that the marketplace gave the buyer by itself is brought to Centra, or shown to a person, as the channel says.

A key is an order, in its lane; its work is the refunds that no call of ours made. Where the channel wants it and a
parcel holds the units, a completed return in Centra bears the refund's id; a refund of money alone, or before dispatch,
has no counterpart there and is for a person (business rule 21).

The return in Centra is a *create* effect (`after_sale/centra_return`), its completion a *state* effect.
"""

from __future__ import annotations

from typing import assert_never

from app import failpoints
from app.domain.after_sale import Advice, Stop
from app.domain.orders import Refunded
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.flows.after_sale.centra_return import Made, complete_return, make_return
from app.flows.after_sale.turn import Hold, Sale, Step, advance
from app.store.intents import RANKS, Intent, Kind
from app.store.outbox import Claim, Verdict


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Bring what the marketplace gave back for one order to Centra."""
    return await advance(turn, Kind.CREDIT, _step)


async def _step(sale: Sale, intent: Intent) -> Step:
    given = intent.read(Refunded)
    money = f"{given.amount + given.shipping} {sale.order.currency}"
    policy = "return" if intent.approved_by is not None else sale.settings.marketplace_refunds
    match policy:
        case "record":
            return await sale.end(intent, None, f"the marketplace gave back {money}, recorded")
        case "hold":
            words = f"the marketplace gave back {money} by itself: make the return in Centra?"
            return Hold(Stop(words, Advice.LET_GO, _evidence(given)), Team.FINANCE)
        case "return":
            return await _return(sale, intent, given, money)
    assert_never(policy)


async def _return(sale: Sale, intent: Intent, given: Refunded, money: str) -> Step:
    if given.quantity < 1:
        words = f"the marketplace gave back {money} and names no units: credit it in Centra by hand"
        return Hold(Stop(words, Advice.BY_HAND, _evidence(given)), Team.FINANCE)
    words = f"refund {given.refund_id} of the marketplace, {money}"
    made = await make_return(sale, intent.source_id, {given.line_id: given.quantity}, words, intent)
    if isinstance(made, Made) and not made.completed:
        made = await complete_return(sale, made, intent)
    if not isinstance(made, Made):
        return made
    return await sale.end(intent, made, f"return {made.id} in Centra, for {words}")


def _evidence(given: Refunded) -> dict[str, str]:
    return {"refund": given.refund_id, "line": given.line_id, "reason": given.reason, "units": str(given.quantity)}


FLOW = Flow(
    name=Kind.CREDIT.flow,
    team=Team.FINANCE,
    scoped="channel",
    work=work,
    at_once=8,
    lane_rank=RANKS[Kind.CREDIT],
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    effects=True,
    person_after_seconds=86_400.0,
    retry_cap_seconds=60.0,
    fail_points=(failpoints.CENTRA_RETURN_SENT, failpoints.CENTRA_RETURN_ANSWERED),
)
