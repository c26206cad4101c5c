"""Every quantity of a channel is pushed again on a schedule, whether it changed or not.

One key, once a day by default. What is confirmed stops being believed, page by page, and every listed SKU is
marked at low priority, so that changes go first; the flow `stock` does the rest. The first run waits a whole
interval: a fresh channel is pushed in full anyway, as its offers are seen.
"""

from __future__ import annotations

from app.domain.ids import Scope, Sku
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.settings import Channels
from app.store import offers
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.telemetry.logs import log

FULL_PUSH = "full_push"
PAGE = 2_000
BACKGROUND = 2


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Void and mark every listed SKU of the channel."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    last, marked = "", 0

    async def one_page(transaction: Transaction) -> list[Sku]:
        page = await offers.next_page(transaction.connection, scope, last, PAGE)
        transaction.mark(await offers.push_again(transaction.connection, scope, page, priority=BACKGROUND))
        return page

    while page := await services.database.transact(one_page):
        last, marked = page[-1], marked + len(page)
        if not turn.still_ours:
            await turn.extend()
    log.info("full_push", scope=scope, marks=marked)
    return {claim: Settled(services.clock.after(services.channel(scope).stock.full_push_seconds))}


def _on(settings: Channels, scope: Scope) -> bool:
    return settings.by_id()[scope].stock.on


FLOW = Flow(
    name=FULL_PUSH,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    on=_on,
    keys=lambda settings, scope: {FULL_PUSH: settings.by_id()[scope].stock.full_push_seconds},
)
