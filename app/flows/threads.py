"""Conversations with buyers that wait for an answer are counted, with their age.

A key is the pass itself, which comes back by its own time. M11 gives the threads that were updated since the last pass,
less an overlap; who wrote what is not read. Answering is the marketplace's own back office's business.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.mirakl.after_schema import Page, Thread
from app.store import mirrors, threads
from app.store.outbox import Claim, Settled, Verdict
from app.store.threads import Listed
from app.wire.outcome import Applied, Outcome

THREADS = "threads"
WATERMARK = "threads.watermark"
OVERLAP = timedelta(minutes=5)
ABOUT_ORDER = "MMP_ORDER"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Read every page of what changed."""
    claim, services, scope = turn.claims[0], turn.services, turn.scope
    began, token = services.clock.now(), None
    async with services.database.work.acquire() as connection:
        since = await mirrors.read_cursor(connection, scope, WATERMARK, datetime)
    start = None if since is None else since - OVERLAP
    while True:

        async def page(token: str | None = token) -> Outcome[Page[Thread]]:
            return await services.mirakl[scope].m11_list_threads(start, page_token=token)

        answer = await patiently(turn, page)
        if not isinstance(answer, Applied):
            return {claim: after_failure(answer, claim, services.clock, services.pauses, scope)}
        services.pauses.resume(scope)
        async with services.database.work.acquire() as connection:
            await threads.store(connection, scope, [_listed(thread) for thread in answer.value.rows.items])
        token = answer.value.next_token
        if token is None:
            break
        if not turn.still_ours:
            await turn.extend()
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, scope, WATERMARK, began)
    return {claim: Settled(services.clock.after(services.channel(scope).after_sale.threads_seconds))}


def _listed(thread: Thread) -> Listed:
    order_id = next((entity.id for entity in thread.entities or () if entity.type == ABOUT_ORDER), None)
    return Listed(thread.id, order_id, thread.metadata.shop_reply_needed_since, thread.date_updated)


FLOW = Flow(
    name=THREADS,
    team=Team.CUSTOMER_SERVICE,
    scoped="channel",
    work=work,
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    keys=lambda _settings, _scope: {THREADS: 0.0},
)
