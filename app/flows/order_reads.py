"""Single orders are read again by their id, when somebody must know before the next pass.

A key is an order id. What was asked for within a second goes in one call of up to 100 ids; what is told is stored as a
pass would store it, and the order's own flows are marked if anything changed.
"""

from __future__ import annotations

from app.domain.ids import Scope
from app.domain.teams import Team
from app.engine.flow import Flow, Gate, Pass, Services
from app.engine.retry import after_failure
from app.flows.order_intake import store_orders
from app.mirakl.order_schema import OrderQuery
from app.store import orders
from app.store.outbox import Claim, Held, Verdict
from app.wire.outcome import Applied

READS = "order_reads"
MOST_IDS = 100


async def gate(services: Services, scope: Scope) -> Gate:
    """The permit for one question by id."""
    return await services.mirakl[scope].permit("OR11.read")


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Ask for the claimed orders and store what is told."""
    services, by_id = turn.services, {c.key: c for c in turn.claims}
    began = services.clock.now()
    answer = await services.mirakl[turn.scope].or11_list_orders(
        OrderQuery(order_ids=tuple(sorted(by_id))), permit=turn.permit
    )
    if not isinstance(answer, Applied):
        return {c: after_failure(answer, c, services.clock, services.pauses, turn.scope) for c in turn.claims}
    services.pauses.resume(turn.scope)
    page = answer.value.orders
    await store_orders(services, turn.scope, page, began)
    told = {raw.order.order_id for raw in page.items}
    await services.database.mark([m for order_id in sorted(told) for m in orders.marks_of(turn.scope, order_id)])
    missing = "Mirakl does not know this order: does the key belong to its shop?"
    return {claim: Held(missing) for key, claim in by_id.items() if key not in told}


FLOW = Flow(
    name=READS,
    team=Team.OPERATIONS,
    scoped="channel",
    work=work,
    batch=MOST_IDS,
    gate=gate,
    gather_seconds=0.2,
    on=lambda settings, scope: settings.by_id()[scope].orders.is_read,
)
