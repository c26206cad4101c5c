"""Stock, prices and offers: what the channel's flows would decide now, against the live offers as last read.

What differs is what `plan` would show (`publishing/preview`), with the reason why it has not gone by itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from datetime import datetime

from app.domain.parity import Cause, Found, Kind
from app.engine.flow import Pass
from app.flows.comparing.causes import Seen, Step, Unread, under_way
from app.flows.publishing import ready
from app.flows.publishing.preview import Action, Line, One, Page, pages
from app.settings import Channel
from app.store import parity, publications
from app.store.parity import NO_WAY, Way
from app.store.publications import Standing

COMPARED = (Kind.STOCK, Kind.PRICES, Kind.OFFERS)
WAITS = (Standing.WAITING, Standing.PENDING)


def kinds_of(channel: Channel) -> tuple[Kind, ...]:
    """What of a channel is compared with its live offers."""
    wanted = {Kind.STOCK: channel.stock.on, **{Kind(flow): True for flow in channel.publishes if flow != "products"}}
    return tuple(kind for kind in COMPARED if wanted.get(kind))


async def walk(turn: Pass, place: tuple[str, str], as_of: datetime) -> AsyncGenerator[Step, None]:
    """Every SKU in Centra and every live offer, page by page from a place on."""
    services, channel = turn.services, turn.services.channel(turn.scope)
    kinds = kinds_of(channel)
    async with services.database.work.acquire() as connection:
        try:
            around = await ready.around(connection, channel, services.source, services.clock.now())
        except ready.UnreadError as exc:
            yield Unread(str(exc))
            return
        async for page in pages(connection, around, place):
            skus = sorted({line.key for line in page.lines})
            ways = await parity.ways(connection, turn.scope, [kind.value for kind in kinds], skus) if skus else {}
            seen = Seen(place=page.last)
            seen.compared.update({kind: page.same[kind.value] for kind in kinds})
            for line in page.lines:
                if line.kind not in kinds or _is_said_elsewhere(line, page, kinds):
                    continue
                kind = Kind(line.kind)
                seen.compared[kind] += 1
                one = page.ones[line.key]
                seen.found += compare(line, one, ways.get((kind.value, line.key), NO_WAY), channel, as_of)
            yield seen


def _is_said_elsewhere(line: Line, page: Page, kinds: Iterable[Kind]) -> bool:
    """Of a live offer that no product bears only the offer is compared, where offers are."""
    return line.kind == Kind.STOCK and page.ones[line.key].sold is None and Kind.OFFERS in kinds


def compare(line: Line, one: One, way: Way, channel: Channel, as_of: datetime) -> list[Found]:
    """The difference that a line of a plan is, if it is one, and why it stands."""
    found = _found(line, one)
    if found is None:
        return []
    if _is_dry_run(found.kind, channel):
        return [replace(found, cause=Cause.DRY_RUN)]
    if found.cause is Cause.NOT_OURS:
        return [replace(found, cause=Cause.HELD, words=way.held, mend=None)] if way.held is not None else [found]
    told = None if found.kind is Kind.STOCK else one.told[publications.Kind(line.kind)]
    if way.since is None and told is not None and told.state is Standing.REJECTED:
        words = "; ".join(told.reasons)
        return [replace(found, cause=Cause.REFUSED, words=words, mend=None, asks=way.held is None)]
    found = under_way(found, [way])
    if found.cause is not Cause.MISSED:
        return [found]
    if told is not None and told.state in WAITS:
        words = "; ".join(told.reasons) or "the operator has not decided yet"
        return [replace(found, cause=Cause.ON_ITS_WAY, words=words, since=told.since)]
    if way.confirmed_at is not None and way.confirmed_at >= as_of:
        return [replace(found, cause=Cause.ON_ITS_WAY, words="not read back yet", since=way.confirmed_at)]
    return [replace(found, cause=Cause.BY_HAND) if _was_taken(line, one) else found]


def _found(line: Line, one: One) -> Found | None:
    kind, flow = Kind(line.kind), line.kind
    told = None if kind is Kind.STOCK else one.told[publications.Kind(line.kind)]
    live = "absent" if one.shown is None else line.theirs or "listed"
    words = "; ".join(line.reasons)
    match line.action:
        case Action.HELD if kind is Kind.STOCK and one.stock.size is None:
            return Found(kind, line.key, "quantity", "no such size", live, Cause.NOT_OURS, words)
        case Action.HELD:
            cause = Cause.HELD if told is not None and told.state is Standing.HELD else Cause.MISSED
            return Found(kind, line.key, line.member or "all", "not derivable", live, cause, words, mend=flow)
        case Action.NEW:
            return Found(kind, line.key, "offer", "sold", "absent", mend=flow)
        case Action.LEAVE | Action.DELETE:
            return _leaving(line, one)
        case _:
            return Found(kind, line.key, line.member, line.ours, line.theirs, words=words, mend=flow)


def _leaving(line: Line, one: One) -> Found | None:
    """What is not sold and listed: ours once we made it, or Centra has the SKU; without stock it may stay."""
    told, shown = one.told[publications.Kind.OFFERS], one.shown
    if one.sold is None and told is None:
        return Found(Kind.OFFERS, line.key, "offer", "not known", "listed", Cause.NOT_OURS)
    is_empty = shown is not None and shown.quantity == 0
    if line.action is Action.LEAVE and is_empty:
        return None
    return Found(Kind.OFFERS, line.key, "offer", "not sold", "listed", mend=Kind.OFFERS.value)


def _is_dry_run(kind: Kind, channel: Channel) -> bool:
    match kind:
        case Kind.STOCK:
            return channel.stock.dry_run
        case Kind.PRICES:
            return channel.prices.mode == "dry_run"
        case _:
            return channel.catalogue.offers == "dry_run"


def _was_taken(line: Line, one: One) -> bool:
    """Whether the marketplace is known to have taken exactly this, and shows something else."""
    if line.digest is None:
        return False
    if line.kind == Kind.STOCK:
        return one.stock.is_settled(int(line.digest))
    told = one.told[publications.Kind(line.kind)]
    return told is not None and told.is_settled(line.digest)
