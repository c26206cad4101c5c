"""All sizes are read from Centra, page by page: the safety net under events and webhooks.

One key, on a timer, at once when the event queue had to be dropped, and for ever when events are off. What it
finds that nothing else noticed is counted. Pages shift when sizes are deleted meanwhile, so a size that the
walk did not meet is only marked to be read by its id. The walk ends with the display items, whose map the
storefront webhooks need.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from app.centra.schema import DisplayItemsAnswer
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.flows.sizes import SIZES, store_reads, understood, warehouses
from app.store import mirrors, sizes
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure

SWEEP = "sweep"
SWEPT = "sweep.completed"
"""The cursor that says when a walk last met every size; before the first one, a SKU without a size is no news."""


class Walk(msgspec.Struct, frozen=True):
    """How far the walk has come: what it reads, the next page, when it began (ISO), and what it has found."""

    began_at: str
    page: int = 1
    display_items: bool = False
    found: int = 0


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Walk on from the last page for as long as the claim lasts and the allowance allows."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        walk = await mirrors.read_cursor(connection, turn.scope, SWEEP, Walk)
    walk = walk or Walk(services.clock.now().isoformat())
    while turn.still_ours:
        outcome = await (_display_page(turn, walk) if walk.display_items else _size_page(turn, walk))
        if outcome is None:
            return {claim: Settled(services.clock.after(services.settings.centra.sweep_seconds))}
        if not isinstance(outcome, Walk):
            verdict = after_failure(outcome, claim, services.clock, services.pauses, turn.scope)
            return {claim: verdict}
        services.pauses.resume(turn.scope)
        walk = outcome
    return {claim: Waiting(services.clock.now(), "more pages follow")}


async def _size_page(turn: Pass, walk: Walk) -> Walk | Failure:
    services = turn.services
    read_at = services.clock.now()
    answer = await services.centra.page_sizes(walk.page, await warehouses(services))
    if not isinstance(answer, Applied):
        return answer
    said = understood(services, answer.value.sizes)
    odd = {u.size_id for u in said.unclear} | {int(u.id) for u in answer.value.unreadable if u.id.isdigit()}

    async def steps(transaction: Transaction) -> Walk:
        found = await store_reads(transaction, services, said, read_at)
        transaction.mark(Mark(turn.scope, SIZES, str(size)) for size in odd)  # held there, with the reason
        after = Walk(walk.began_at, walk.page + 1, found=walk.found + found)
        if answer.value.is_last:
            after = await _end_of_sizes(transaction, services, after)
        await mirrors.write_cursor(transaction.connection, turn.scope, SWEEP, after)
        return after

    after = await services.database.transact(steps)
    metrics.sweep_found.labels(turn.scope).inc(after.found - walk.found)
    return after


async def _end_of_sizes(transaction: Transaction, services: Services, walk: Walk) -> Walk:
    unseen = await sizes.unseen(transaction.connection, services.source, datetime.fromisoformat(walk.began_at))
    transaction.mark(Mark(services.source, SIZES, str(size)) for size in unseen)
    await mirrors.write_cursor(transaction.connection, services.source, SWEPT, walk.began_at)
    log.info("sweep_done", scope=services.source, pages=walk.page - 1, count=walk.found, sizes=len(unseen))
    return Walk(walk.began_at, 1, display_items=True, found=walk.found)


async def _display_page(turn: Pass, walk: Walk) -> Walk | Failure | None:
    """One page of display items; None after the last."""
    services = turn.services
    answer = await services.centra.page_display_items(walk.page)
    if not isinstance(answer, Applied):
        return answer
    shown = _shown(answer.value)
    last = answer.value.is_last
    after = Walk(walk.began_at, walk.page + 1, display_items=True, found=walk.found)

    async def steps(transaction: Transaction) -> None:
        await sizes.write_display_items(transaction.connection, turn.scope, shown)
        await mirrors.write_cursor(transaction.connection, turn.scope, SWEEP, None if last else after)

    await services.database.transact(steps)
    return None if last else after


def _shown(answer: DisplayItemsAnswer) -> list[tuple[int, int]]:
    """The variant under each display item, and under its display, by whose id older webhooks call it."""
    found: list[tuple[int, int]] = []
    for item in answer.items:
        variant = item.product_variant.id if item.product_variant else None
        if variant is not None:
            found += [(shown, variant) for shown in (item.id, item.display_id) if shown is not None]
    return found


FLOW = Flow(
    name=SWEEP,
    team=Team.OPERATIONS,
    scoped="source",
    work=work,
    keys=lambda _settings, _scope: {SWEEP: 0.0},
)
