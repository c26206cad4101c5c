"""Conversations with buyers that wait for an answer are counted, with their age.

A key is the pass itself, which comes back by its own time. M11 gives the threads that were updated since the last pass,
less an overlap; of each message only when it was written and by which side, from which follows how long buyers waited.
Answering is the marketplace's own back office's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.mirakl.after_schema import Page, Thread
from app.store import mirrors, ratings, threads
from app.store.outbox import Claim, Settled, Verdict
from app.store.ratings import Reply
from app.store.threads import Listed
from app.wire.outcome import Applied, Outcome

THREADS = "threads"
WATERMARK = "threads.watermark"
OVERLAP = timedelta(minutes=5)
ABOUT_ORDER = "MMP_ORDER"
BUYER, SHOP = "CUSTOMER_USER", "SHOP_USER"


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
            rows = answer.value.rows.items
            await threads.store(connection, scope, [_listed(thread) for thread in rows])
            await ratings.note_replies(connection, scope, [reply for thread in rows for reply in replies_of(thread)])
        token = answer.value.next_token
        if token is None:
            break
        if not turn.still_ours:
            await turn.extend()
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, scope, WATERMARK, began)
    return {claim: Settled(services.clock.after(services.channel(scope).after_sale.threads_seconds))}


def _listed(thread: Thread) -> Listed:
    return Listed(thread.id, _order_of(thread), thread.metadata.shop_reply_needed_since, thread.date_updated)


def _order_of(thread: Thread) -> str | None:
    return next((entity.id for entity in thread.entities or () if entity.type == ABOUT_ORDER), None)


def replies_of(thread: Thread) -> Iterator[Reply]:
    """The shop's answers that are still shown: each to the first message of the buyer's that had waited for it."""
    asked: datetime | None = None
    written = [(one.date_created, one.sender.type) for one in thread.messages or () if one.date_created and one.sender]
    for at, side in sorted(written, key=lambda one: one[0]):
        if side == BUYER:
            asked = asked or at
        elif side == SHOP and asked is not None:
            yield Reply(thread.id, asked, at, _order_of(thread))
            asked = None


FLOW = Flow(
    name=THREADS,
    team=Team.CUSTOMER_SERVICE,
    scoped="channel",
    work=work,
    on=lambda settings, scope: settings.by_id()[scope].after_sale.is_followed,
    keys=lambda _settings, _scope: {THREADS: 0.0},
)
