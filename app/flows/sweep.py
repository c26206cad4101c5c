"""All sizes are read from Centra, page by page: the safety net under events and webhooks.

One key, on a timer, at once when the event queue had to be dropped, and for ever when events are off. What it
finds that nothing else noticed is counted. Pages shift when sizes are deleted meanwhile, so a size that the
walk did not meet is only marked to be read by its id. The walk ends with the display items, whose map the
storefront webhooks need.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from app.centra.client import LIST_LIMIT
from app.centra.schema import DisplayItemsAnswer, SizesAnswer
from app.domain.stock import Topology
from app.domain.teams import Team
from app.engine.flow import Flow, Pass, Services
from app.engine.retry import after_failure
from app.flows.sizes import SIZES, store_reads, understood, warehouses
from app.store import mirrors, sizes
from app.store.marks import Mark
from app.store.outbox import Claim, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, Unknown

SWEEP = "sweep"
NARROWER = {LIST_LIMIT: 20, 20: 1}
"""A page that can't be used is read again in pages of this size."""
TOPOLOGY_SECONDS = 1.0
DISPLAY_ATTEMPTS = 3
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
        mirror = await mirrors.read_mirror(connection, turn.scope, mirrors.TOPOLOGY, Topology)
    if mirror is None:  # which rows count is not known, and all of them would be dear
        until = services.clock.after(TOPOLOGY_SECONDS)
        return {claim: Postponed(until, "the topology of Centra is not read yet", called=False)}
    walk = walk or Walk(services.clock.now().isoformat())
    while turn.still_ours:
        outcome = await (_display_page(turn, walk) if walk.display_items else _size_page(turn, walk))
        if outcome is None:
            return {claim: Settled(services.clock.after(services.settings.centra.sweep_seconds))}
        if isinstance(outcome, Unknown) and walk.display_items and claim.attempts >= DISPLAY_ATTEMPTS:
            return {claim: await _without_display_items(turn, walk, outcome.reason)}
        if not isinstance(outcome, Walk):
            verdict = after_failure(outcome, claim, services.clock, services.pauses, turn.scope)
            return {claim: verdict}
        services.pauses.resume(turn.scope)
        walk = outcome
    return {claim: Waiting(services.clock.now(), "more pages follow")}


async def _size_page(turn: Pass, walk: Walk) -> Walk | Failure:
    services = turn.services
    read_at = services.clock.now()
    pages, failure = await _read_page(turn, walk.page, LIST_LIMIT, await warehouses(services))
    if failure is not None:
        return failure
    said = understood(services, (size for page in pages for size in page.sizes))
    odd = {u.size_id for u in said.unclear} | {int(u.id) for p in pages for u in p.unreadable if u.id.isdigit()}

    async def steps(transaction: Transaction) -> tuple[Walk, int]:
        connection = transaction.connection
        is_first = await mirrors.read_cursor(connection, turn.scope, SWEPT, str) is None
        stored = await store_reads(transaction, services, said, read_at)
        transaction.mark(Mark(turn.scope, SIZES, str(size)) for size in odd)  # held there, with the reason
        found = 0 if is_first else stored.changed  # a first walk meets everything, which is no news
        after = Walk(walk.began_at, walk.page + 1, found=walk.found + found)
        if pages[-1].is_last:
            after = await _end_of_sizes(transaction, services, after)
        await mirrors.write_cursor(connection, turn.scope, SWEEP, after)
        return after, found

    after, found = await services.database.transact(steps)
    metrics.sweep_found.labels(turn.scope).inc(found)
    return after


async def _read_page(turn: Pass, page: int, limit: int, direct: list[int]) -> tuple[list[SizesAnswer], Failure | None]:
    """A page of sizes; one that can't be used is read in smaller ones, so that one size does not end the walk.

    A size that can't be read even alone is passed over: it was not met, and is read by its id in the end.
    """
    answer = await turn.services.centra.page_sizes(page, direct, limit)
    if isinstance(answer, Applied):
        return [answer.value], None
    narrower = NARROWER.get(limit)
    if not isinstance(answer, Unknown) or narrower is None or not turn.still_ours:
        return [], answer
    pages: list[SizesAnswer] = []
    for place in range(limit // narrower):
        read, failure = await _read_page(turn, (page - 1) * (limit // narrower) + place + 1, narrower, direct)
        if failure is not None and not isinstance(failure, Unknown):
            return [], failure  # Centra is away, or wants us to wait: the whole page again, later
        pages += read
        if pages and pages[-1].is_last:
            break
    return pages, None if pages else answer


async def _end_of_sizes(transaction: Transaction, services: Services, walk: Walk) -> Walk:
    unseen = await sizes.unseen(transaction.connection, services.source, datetime.fromisoformat(walk.began_at))
    transaction.mark(Mark(services.source, SIZES, str(size)) for size in unseen)
    await mirrors.write_cursor(transaction.connection, services.source, SWEPT, walk.began_at)
    log.info("sweep_done", scope=services.source, pages=walk.page - 1, count=walk.found, sizes=len(unseen))
    return Walk(walk.began_at, 1, display_items=True, found=walk.found)


async def _without_display_items(turn: Pass, walk: Walk, reason: str) -> Verdict:
    """The map of display items can't be read: what is known of it stays, and the next walk begins in time."""
    services = turn.services
    log.warning("display_items_unreadable", scope=turn.scope, pages=walk.page, reason=reason)
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, turn.scope, SWEEP, None)
    return Settled(services.clock.after(services.settings.centra.sweep_seconds))


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
