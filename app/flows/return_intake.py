"""Returns at a marketplace are read in passes and stored.

A key is the pass itself, which comes back by its own time. RT11 gives what was updated since the watermark, less an
overlap; the watermark moves to the newest update that is stored, never beyond. Where the platform has no returns the
list is refused, and asked for again a day later.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app import failpoints
from app.domain.ids import OrderId, OrderLineId
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.failpoints import fail_point
from app.mirakl.after_schema import Page, Return
from app.policies.returns import MarketplaceReturn, MarketplaceReturnLine
from app.store import inbox, intents, mirrors, returns
from app.store.inbox import Fact
from app.store.outbox import Claim, Settled, Verdict
from app.store.pool import Transaction
from app.wire.decode import Items
from app.wire.outcome import Applied, Outcome, RefusalKind, Refused

INTAKE = "return_intake"
WATERMARK = "returns.watermark"
MIRAKL_RETURN = "mirakl.return"
OVERLAP = timedelta(minutes=5)
DAY_SECONDS = 86_400.0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read every page of what changed."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    settings = services.channel(scope).after_sale.returns
    async with services.database.work.acquire() as connection:
        since = await mirrors.read_cursor(connection, scope, WATERMARK, datetime)
    newest, token = since, None
    start = None if since is None else since - OVERLAP
    while True:
        began = services.clock.now()

        async def page(token: str | None = token) -> Outcome[Page[Return]]:
            return await services.mirakl[scope].rt11_list_returns(start, page_token=token)

        answer = await patiently(turn, page)
        if isinstance(answer, Refused) and answer.kind is RefusalKind.MISSING:
            return {claim: Settled(services.clock.after(DAY_SECONDS))}
        if not isinstance(answer, Applied):
            return {claim: after_failure(answer, claim, services.clock, services.pauses, scope)}
        services.pauses.resume(scope)
        rows = answer.value.rows
        await store_returns(services, scope, rows, began)
        newest = max([*(row.last_updated for row in rows.items), *([newest] if newest else [])], default=None)
        await fail_point(failpoints.RETURNS_STORED)
        token = answer.value.next_token
        if token is None:
            break
        if not turn.still_ours:
            await turn.extend()
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, scope, WATERMARK, newest)
    return {claim: Settled(services.clock.after(settings.poll_seconds))}


async def store_returns(services: Services, scope: str, rows: Items[Return], read_at: datetime) -> bool:
    """Store returns, told by a call that began at `read_at`, and mark their orders; whether any was new or changed."""
    told = [_told(row) for row in rows.items]

    async def steps(tx: Transaction) -> bool:
        dead = [
            Fact(f"unreadable-{odd.id or odd.index}", "return", odd.id, reason=odd.reason) for odd in rows.unreadable
        ]
        await inbox.store(tx.connection, scope, MIRAKL_RETURN, dead)
        changed = await returns.store(tx.connection, scope, told, read_at)
        tx.mark([intents.mark_of(scope, intents.Kind.RETURN, order_id) for order_id in changed])
        return bool(changed)

    return await services.database.transact(steps)


def _told(row: Return) -> MarketplaceReturn:
    lines = tuple(
        MarketplaceReturnLine(OrderLineId(line.order_line_id), line.quantity, line.compliant)
        for line in row.return_lines
    )
    return MarketplaceReturn(
        row.id, OrderId(row.order_id), row.state, lines, row.method_code or "", row.reason_code or ""
    )


FLOW = Flow(
    name=INTAKE,
    team=Team.CUSTOMER_SERVICE,
    scoped="channel",
    work=work,
    on=lambda settings, scope: (
        settings.by_id()[scope].after_sale.is_followed and settings.by_id()[scope].after_sale.returns.on
    ),
    keys=lambda _settings, _scope: {INTAKE: 0.0},
    retry_cap_seconds=60.0,
    fail_points=(failpoints.RETURNS_STORED,),
)
