"""Centra's products are walked through, page by page: what changed since the last walk, and once a day all of them.

One key, on a timer. A walk begins a little before the last one began, since a product that changes meanwhile moves
away. After a walk over all of them, products that it did not meet are read by their ids: those that are gone leave.
A channel whose settings were changed looks at everything again (flow `catalogue_watch`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from app.centra.catalogue import ProductsPage
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.flows.catalogue import CATALOGUE, published, store_of, store_products
from app.flows.catalogue_watch import look_again
from app.store import mirrors, products
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry.logs import log
from app.wire.outcome import Applied

CATALOGUE_SWEEP = "catalogue_sweep"
OVERLAP = timedelta(minutes=10)
WHOLE = timedelta(days=1)


class Walk(msgspec.Struct, frozen=True):
    """How far the walk has come: the next page (0: none is under way), and when it and the last ones began (ISO)."""

    page: int = 0
    began_at: str | None = None
    since: str | None = None
    last_at: str | None = None
    whole_at: str | None = None


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Walk on from the last page for as long as the claim lasts."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        walk = await mirrors.read_cursor(connection, turn.scope, CATALOGUE_SWEEP, Walk) or Walk()
    if walk.page == 0:
        walk = _begun(walk, services.clock.now())
    while turn.still_ours:
        read_at = services.clock.now()
        answer = await services.centra.page_products(
            store_of(services),
            walk.page,
            sku_from=services.settings.centra.sku,
            updated_since=datetime.fromisoformat(walk.since) if walk.since else None,
        )
        if not isinstance(answer, Applied):
            return {claim: after_failure(answer, claim, services.clock, services.pauses, turn.scope)}
        services.pauses.resume(turn.scope)
        walk = await _store(turn, walk, answer.value, read_at)
        if walk.page == 0:
            return {claim: Settled(services.clock.after(services.settings.centra.catalogue_seconds))}
    return {claim: Waiting(services.clock.now(), "more pages follow")}


def _begun(walk: Walk, now: datetime) -> Walk:
    """The next walk: over all products where the last such one was a day ago."""
    whole = walk.whole_at is None or now - datetime.fromisoformat(walk.whole_at) >= WHOLE
    since = None if whole or walk.last_at is None else datetime.fromisoformat(walk.last_at) - OVERLAP
    return msgspec.structs.replace(
        walk, page=1, began_at=now.isoformat(), since=None if since is None else since.isoformat()
    )


async def _store(turn: Pass, walk: Walk, page: ProductsPage, read_at: datetime) -> Walk:
    """Store a page and move on; after the last one, look for what was not met."""
    services = turn.services
    odd = {int(one.id) for one in page.products.unreadable if one.id.isdigit()} | set(page.cut_ids)
    after = msgspec.structs.replace(walk, page=walk.page + 1)
    if page.is_last:
        whole_at = walk.began_at if walk.since is None else walk.whole_at
        after = Walk(last_at=walk.began_at, whole_at=whole_at)

    async def steps(tx: Transaction) -> int:
        changed = await store_products(tx, services, page.products.items, read_at)
        tx.mark(Mark(turn.scope, CATALOGUE, str(product_id)) for product_id in sorted(odd))  # alone, or held there
        if page.is_last and walk.since is None and walk.began_at is not None:
            unseen = await products.unseen(tx.connection, turn.scope, datetime.fromisoformat(walk.began_at))
            tx.mark(Mark(turn.scope, CATALOGUE, str(product_id)) for product_id in unseen)
        if page.is_last:
            await look_again(tx, services.settings)
        await mirrors.write_cursor(tx.connection, turn.scope, CATALOGUE_SWEEP, after)
        return changed

    changed = await services.database.transact(steps)
    if page.is_last:
        log.info("catalogue_read", scope=turn.scope, pages=walk.page, skus=changed)
    return after


FLOW = Flow(
    name=CATALOGUE_SWEEP,
    team=Team.ECOMMERCE,
    scoped="source",
    work=work,
    keys=lambda _settings, _scope: {CATALOGUE_SWEEP: 0.0},
    on=lambda settings, _: bool(published(settings)),
)
