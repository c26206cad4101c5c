"""What the marketplace really has is read back and compared with what was confirmed.

One key: a full export a day, which also says which offers there are, and a differential one every few minutes.
An offer whose live quantity is not the confirmed one, with nothing newer on its way, is counted and pushed
again; an offer seen for the first time is marked. Live offers are kept whole, and where offers or prices are published
they are compared with what was sent (`publishing/live`). The export is asked for, polled and fetched in steps; how far
it is, is a cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from app.domain.ids import Sku
from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.patience import patiently
from app.engine.retry import after_failure
from app.flows.publishing import live
from app.mirakl.offer_schema import LiveOffer
from app.mirakl.quotas import spacing_seconds
from app.mirakl.schema import Offer
from app.store import mirrors, offers
from app.store.marks import Mark
from app.store.offers import Live
from app.store.outbox import Claim, Postponed, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.telemetry import metrics
from app.telemetry.logs import log
from app.wire.decode import UnreadableItem
from app.wire.outcome import Applied, NotSent

READ_BACK = "read_back"
FULL_SECONDS = 86_400.0
OVERLAP_SECONDS = 120.0
FIRST_POLL_SECONDS = 2.0
PAGE = 1_000
EXPORT_LOST_SECONDS = 3_600.0
EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Export(msgspec.Struct, frozen=True):
    """An export that was asked for, and when the last ones were (ISO instants).

    `has_all`: the live offers are all known here as they were at the last one.
    """

    tracking_id: str | None = None
    asked_at: str | None = None
    full: bool = False
    last_asked_at: str | None = None
    last_full_at: str | None = None
    has_all: bool = False


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Ask for an export, or take the one under way a step further."""
    claim = turn.claims[0]
    async with turn.services.database.work.acquire() as connection:
        export = await mirrors.read_cursor(connection, turn.scope, READ_BACK, Export) or Export()
    if export.tracking_id is None or export.asked_at is None:
        return {claim: await _ask(turn, claim, export)}
    return {claim: await _follow(turn, claim, export, export.tracking_id, datetime.fromisoformat(export.asked_at))}


async def _ask(turn: Pass, claim: Claim, export: Export) -> Verdict:
    services, scope = turn.services, turn.scope
    now = services.clock.now()
    full = _is_full_due(export, now)
    since = None
    if not full and export.last_asked_at is not None:
        since = datetime.fromisoformat(export.last_asked_at) - timedelta(seconds=OVERLAP_SECONDS)
    answer = await services.mirakl[scope].of52_export_offers(since)
    if full and isinstance(answer, NotSent):  # today's full export was lost, or is not due yet: all changes ever, then
        answer = await services.mirakl[scope].of52_export_offers(EVER)
    if not isinstance(answer, Applied):
        return after_failure(answer, claim, services.clock, services.pauses, scope)
    services.pauses.resume(scope)
    asked = msgspec.structs.replace(export, tracking_id=answer.value, asked_at=now.isoformat(), full=full)
    await _keep(turn, asked)
    return Waiting(services.clock.after(FIRST_POLL_SECONDS), "the export is under way")


def _is_full_due(export: Export, now: datetime) -> bool:
    last = export.last_full_at if export.has_all else None
    return last is None or (now - datetime.fromisoformat(last)).total_seconds() > FULL_SECONDS


async def _keep(turn: Pass, export: Export) -> None:
    async with turn.services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, turn.scope, READ_BACK, export)


async def _follow(turn: Pass, claim: Claim, export: Export, tracking_id: str, asked_at: datetime) -> Verdict:
    services, scope = turn.services, turn.scope
    answer = await services.mirakl[scope].of53_get_export(tracking_id)
    if not isinstance(answer, Applied):
        if (services.clock.now() - asked_at).total_seconds() > EXPORT_LOST_SECONDS:
            await _keep(turn, msgspec.structs.replace(export, tracking_id=None))
        return after_failure(answer, claim, services.clock, services.pauses, scope)
    match answer.value.status:
        case "COMPLETED":
            return await _fetch(turn, claim, export, asked_at, answer.value.urls)
        case "FAILED":
            await _keep(turn, msgspec.structs.replace(export, tracking_id=None))
            return Postponed(services.clock.after(60), f"the export failed: {answer.value.error}")
        case other:
            if (services.clock.now() - asked_at).total_seconds() > EXPORT_LOST_SECONDS:
                await _keep(turn, msgspec.structs.replace(export, tracking_id=None))
            seconds = spacing_seconds("OF53", services.channel(scope).profile, services.clock.scale)
            return Waiting(services.clock.after(seconds), f"the export is {other}")


async def _fetch(turn: Pass, claim: Claim, export: Export, asked_at: datetime, urls: Sequence[str]) -> Verdict:
    """Read and compare file by file, a page at a time; one that can't be fetched begins the export anew."""
    services, scope = turn.services, turn.scope
    read_at, count = services.clock.now(), 0
    for url in urls:
        # its link serves once, so a missing permit is waited for here
        answer = await patiently(turn, lambda: services.mirakl[turn.scope].of54_read_live_offers(url))  # noqa: B023 - awaited here
        if not isinstance(answer, Applied):
            await _keep(turn, msgspec.structs.replace(export, tracking_id=None))
            return after_failure(answer, claim, services.clock, services.pauses, scope)
        for page in _pages(_readable(answer.value, scope)):
            count += len(page)
            await services.database.transact(lambda tx: _store(tx, turn, page, read_at, asked_at))  # noqa: B023 - awaited here
            if not turn.still_ours:
                await turn.extend()
    if export.full:
        async with services.database.work.acquire() as connection:
            gone = await offers.unlist(connection, scope, asked_at)  # offers made since then are not in it
        log.info("offers_read", scope=scope, skus=count, count=len(gone))
    has_all = export.full or export.has_all
    if has_all:
        since = export.last_asked_at and datetime.fromisoformat(export.last_asked_at)
        await live.compare_confirmed(turn, since or None, asked_at)
    asked = asked_at.isoformat()
    last_full_at = asked if export.full else export.last_full_at
    await _keep(turn, Export(last_asked_at=asked, last_full_at=last_full_at, has_all=has_all))
    return Settled(services.clock.after(services.channel(scope).stock.read_back_seconds))


def _readable(rows: Iterable[LiveOffer | UnreadableItem], scope: str) -> Iterator[LiveOffer]:
    for row in rows:
        if isinstance(row, UnreadableItem):
            log.warning("offer_unreadable", scope=scope, key=row.id, reason=row.reason)
        else:
            yield row


def _pages(rows: Iterator[LiveOffer]) -> Iterator[list[LiveOffer]]:
    while page := list(islice(rows, PAGE)):
        yield page


def _live(offer: Offer) -> Live:
    sku, listed = Sku(offer.shop_sku), not offer.deleted
    return Live(sku, offer.quantity, listed=listed, price=offer.lowest_price, by_warehouse=offer.by_warehouse)


async def _store(
    transaction: Transaction, turn: Pass, page: Sequence[LiveOffer], read_at: datetime, asked_at: datetime
) -> None:
    connection, scope = transaction.connection, turn.scope
    skus = [offer.shop_sku for offer in page]
    new = await offers.read_back(connection, scope, map(_live, page), read_at)
    transaction.mark(Mark(scope, offers.STOCK, sku) for sku in new)
    drifted = await offers.drifted(connection, scope, skus, read_at, asked_at)
    if drifted:
        transaction.mark(await offers.push_again(connection, scope, drifted))
        metrics.stale_corrected.labels(scope, offers.STOCK).inc(len(drifted))
        log.warning("drift_found", scope=scope, skus=len(drifted))
    await live.store(connection, scope, page, read_at)
    await live.compare(transaction, turn, skus, asked_at)


FLOW = Flow(
    name=READ_BACK,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    keys=lambda _settings, _scope: {READ_BACK: 0.0},
)
